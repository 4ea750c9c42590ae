import { $api } from "../../api/client";

/** Who may judge: some members, or whoever their role allows it. */
export function Reviewers({ chosen, choose }: { chosen: readonly string[]; choose: (names: string[]) => void }) {
  const members = $api.useQuery("get", "/members", { params: { query: { limit: 200 } } });
  if (!members.data) return null;
  const names = [...new Set([...members.data.items.map((one) => one.name), ...chosen])];
  return (
    <fieldset className="plain">
      <legend>Who may judge; none of them is everybody whose role allows it</legend>
      <div className="row wrap">
        {names.map((name) => (
          <label key={name} className="row">
            <input type="checkbox" checked={chosen.includes(name)} onChange={() => choose(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name])} />
            {name}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** What is wrong with how many judge an item; empty where nothing is. */
export function wrongReviewers(text: string, chosen: readonly string[]): string {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 9) return "From 1 to 9.";
  return chosen.length > 0 && chosen.length < number ? `Only ${chosen.length} may judge.` : "";
}
