import type { GuardRule } from "../../api/types";
import { Status } from "../../kit/basics";
import { figure } from "../../kit/format";
import { Table } from "../../kit/list";

const SHOWN = new Set(["detector", "on", "action", "threshold"]);

/** The rules of a policy, in their order. */
export function RuleTable({ rules }: { rules: GuardRule[] }) {
  const rest = (rule: GuardRule) => Object.entries(rule).filter(([name, value]) => !SHOWN.has(name) && value != null && value !== "" && !(Array.isArray(value) && value.length === 0));
  return (
    <Table<GuardRule>
      label="Rules"
      items={rules}
      id={(rule) => `${rules.indexOf(rule)}`}
      columns={[
        { key: "detector", label: "Looks for", cell: (rule) => <b>{rule.detector}</b> },
        { key: "on", label: "On", cell: (rule) => (rule.on === "both" || !rule.on ? "input and output" : rule.on) },
        { key: "action", label: "Then", cell: (rule) => <Status state={rule.action ?? "log"} /> },
        { key: "threshold", label: "From score", numeric: true, cell: (rule) => figure(rule.threshold ?? 0.5) },
        { key: "more", label: "Only", cell: (rule) => (rest(rule).length ? <Only of={rest(rule)} /> : <span className="dim">all of it</span>) },
      ]}
    />
  );
}

/** What narrows a rule, in a line for each. */
function Only({ of }: { of: [string, unknown][] }) {
  return of.map(([name, value]) => (
    <div key={name}>
      <span className="dim">{name.replaceAll("_", " ")}</span> {Array.isArray(value) ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value)}
    </div>
  ));
}
