import { Link } from "@tanstack/react-router";
import { pageOf } from "./match";

/** A reference such as `model/base@2`, linked to its page where it has one. */
export function RefLink({ value }: { value: string }) {
  const page = pageOf(value);
  if (!page) return <code className="cut">{value}</code>;
  const [to, query] = page.split("?");
  return (
    <Link to={to} search={Object.fromEntries(new URLSearchParams(query)) as never} className="link mono">
      {value}
    </Link>
  );
}
