import { Link } from "@tanstack/react-router";
import { Icon } from "../../kit/icons";
import { may, useWho } from "../../shell/session";

/** Leads to the form that makes a release of a version. */
export function ToRelease(pins: { model?: string; prompt?: string }) {
  const who = useWho();
  return (
    may(who.data, "release.write") && (
      <Link className="btn" to="/releases" search={{ new: "1", ...pins } as never}>
        <Icon name="release" size={14} /> Create a release
      </Link>
    )
  );
}
