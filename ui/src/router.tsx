import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Failure, Page } from "./kit/page";
import { Blank } from "./kit/basics";
import { Shell } from "./shell/Shell";

type Search = Record<string, string | undefined>;

/** The state of a view is its query string: flat, and every value text. */
function flat(search: Record<string, unknown>): Search {
  return Object.fromEntries(Object.entries(search).flatMap(([key, value]) => (value == null || value === "" ? [] : [[key, String(value)]])));
}

const root = createRootRoute({
  component: Shell,
  validateSearch: flat,
  errorComponent: ({ error }) => <Failure error={error} />,
  notFoundComponent: () => (
    <Page title="There is no such page">
      <Blank icon="search" title={location.pathname} text="The address may be old. The palette finds every page: Cmd+K, or Ctrl+K." />
    </Page>
  ),
});

const page = <T extends Record<string, unknown>, K extends keyof T & string>(path: string, load: () => Promise<T>, name: K) =>
  createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load as never, name) });

const routes = [
  page("/", () => import("./rooms/home/Home"), "Home"),
  page("/traces", () => import("./rooms/traces/TraceList"), "TraceList"),
  page("/traces/compare", () => import("./rooms/traces/TraceCompare"), "TraceCompare"),
  page("/sessions", () => import("./rooms/traces/SessionList"), "SessionList"),
  page("/sessions/conversation", () => import("./rooms/traces/SessionPage"), "SessionPage"),
  page("/users", () => import("./rooms/traces/UserList"), "UserList"),
  page("/capture", () => import("./rooms/traces/CapturePage"), "CapturePage"),
  page("/traces/$traceId", () => import("./rooms/traces/TracePage"), "TracePage"),
  page("/datasets", () => import("./rooms/data/DatasetList"), "DatasetList"),
  page("/datasets/$name", () => import("./rooms/data/DatasetPage"), "DatasetPage"),
  page("/prompts", () => import("./rooms/prompts/PromptList"), "PromptList"),
  page("/prompts/$name", () => import("./rooms/prompts/PromptPage"), "PromptPage"),
  page("/playground", () => import("./rooms/playground/Playground"), "Playground"),
  page("/models", () => import("./rooms/registry/ModelList"), "ModelList"),
  page("/models/$name", () => import("./rooms/registry/ModelPage"), "ModelPage"),
  page("/runs", () => import("./rooms/tuning/RunList"), "RunList"),
  page("/runs/$runId", () => import("./rooms/tuning/RunPage"), "RunPage"),
  page("/experiments", () => import("./rooms/evals/ExperimentList"), "ExperimentList"),
  page("/experiments/compare", () => import("./rooms/evals/ComparePage"), "ComparePage"),
  page("/experiments/$id", () => import("./rooms/evals/ExperimentPage"), "ExperimentPage"),
  page("/suites", () => import("./rooms/evals/SuiteList"), "SuiteList"),
  page("/suites/$name", () => import("./rooms/evals/SuitePage"), "SuitePage"),
  page("/scorers", () => import("./rooms/evals/ScorerList"), "ScorerList"),
  page("/scorers/$name", () => import("./rooms/evals/ScorerPage"), "ScorerPage"),
  page("/redteam", () => import("./rooms/evals/RedTeamList"), "RedTeamList"),
  page("/redteam/$id", () => import("./rooms/evals/RedTeamPage"), "RedTeamPage"),
  page("/releases", () => import("./rooms/registry/ReleaseList"), "ReleaseList"),
  page("/releases/$name", () => import("./rooms/registry/ReleasePage"), "ReleasePage"),
  page("/deployments", () => import("./rooms/serving/DeploymentList"), "DeploymentList"),
  page("/deployments/$name", () => import("./rooms/serving/DeploymentPage"), "DeploymentPage"),
  page("/loadtests", () => import("./rooms/serving/LoadTestList"), "LoadTestList"),
  page("/loadtests/$id", () => import("./rooms/serving/LoadTestPage"), "LoadTestPage"),
  page("/quickstart", () => import("./rooms/serving/QuickStart"), "QuickStart"),
  page("/providers", () => import("./rooms/registry/ProviderList"), "ProviderList"),
  page("/routes", () => import("./rooms/serving/RouteList"), "RouteList"),
  page("/routes/$name", () => import("./rooms/serving/RoutePage"), "RoutePage"),
  page("/cache", () => import("./rooms/serving/CacheList"), "CacheList"),
  page("/engines", () => import("./rooms/serving/EngineList"), "EngineList"),
  page("/guards", () => import("./rooms/safety/GuardList"), "GuardList"),
  page("/guards/$name", () => import("./rooms/safety/GuardPage"), "GuardPage"),
  page("/keys", () => import("./rooms/workspace/KeyList"), "KeyList"),
  page("/budgets", () => import("./rooms/serving/BudgetList"), "BudgetList"),
  page("/usage", () => import("./rooms/serving/UsagePage"), "UsagePage"),
  page("/prices", () => import("./rooms/traces/PriceList"), "PriceList"),
  page("/members", () => import("./rooms/workspace/MemberList"), "MemberList"),
  page("/queues", () => import("./rooms/annotation/QueueList"), "QueueList"),
  page("/queues/$name", () => import("./rooms/annotation/QueuePage"), "QueuePage"),
  page("/queues/$name/review", () => import("./rooms/annotation/ReviewPage"), "ReviewPage"),
  page("/review", () => import("./rooms/annotation/GuestReview"), "GuestReview"),
  page("/alerts", () => import("./rooms/monitoring/Alerts"), "Alerts"),
  page("/monitors", () => import("./rooms/monitoring/MonitorList"), "MonitorList"),
  page("/monitors/$name", () => import("./rooms/monitoring/MonitorPage"), "MonitorPage"),
  page("/evaluators", () => import("./rooms/monitoring/EvaluatorList"), "EvaluatorList"),
  page("/evaluators/$name", () => import("./rooms/monitoring/EvaluatorPage"), "EvaluatorPage"),
  page("/drift", () => import("./rooms/monitoring/DriftPage"), "DriftPage"),
  page("/boards", () => import("./rooms/boards/BoardList"), "BoardList"),
  page("/boards/$name", () => import("./rooms/boards/BoardPage"), "BoardPage"),
  page("/attacks", () => import("./rooms/monitoring/Attacks"), "Attacks"),
  page("/areas", () => import("./rooms/monitoring/AreaList"), "AreaList"),
  page("/areas/$id", () => import("./rooms/monitoring/AreaPage"), "AreaPage"),
  page("/audit", () => import("./rooms/governance/Audit"), "Audit"),
];

export const router = createRouter({
  routeTree: root.addChildren(routes),
  defaultPreload: "intent",
  defaultPendingMs: 200,
  // Query strings stay plain text: ?status=error, never JSON.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const text = new URLSearchParams(flat(search) as Record<string, string>).toString();
    return text ? `?${text}` : "";
  },
});
