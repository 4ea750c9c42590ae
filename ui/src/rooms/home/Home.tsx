import { Page } from "../../kit/page";

export function Home() {
  return (
    <Page title="Home">
      <p>Hello</p>
    </Page>
  );
}
