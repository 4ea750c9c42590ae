import { useId, type ReactNode } from "react";
import { $api } from "../../api/client";
import { NameField } from "../../kit/Dialog";

/** The name of a dataset, a new one or one of those that are there. */
export function DatasetField(props: { value: string; set: (name: string) => void; placeholder: string; note?: ReactNode }) {
  const list = useId();
  const known = $api.useQuery("get", "/datasets", { params: { query: { limit: 200 } } });
  return (
    <>
      <NameField {...props} label="Dataset" list={list} />
      <datalist id={list}>
        {known.data?.items.map((one) => (
          <option key={one.name} value={one.name} />
        ))}
      </datalist>
    </>
  );
}
