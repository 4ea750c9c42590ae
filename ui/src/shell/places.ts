import type { IconName } from "../kit/icons";

export interface Place {
  label: string;
  to: string;
  icon: IconName;
}

/** The pages of the sidebar, in the order of the lifecycle; the palette offers the same. */
export const PLACES: { group: string; places: Place[] }[] = [
  { group: "", places: [{ label: "Home", to: "/", icon: "home" }] },
  {
    group: "Build",
    places: [
      { label: "Datasets", to: "/datasets", icon: "data" },
      { label: "Prompts", to: "/prompts", icon: "prompt" },
      { label: "Playground", to: "/playground", icon: "tool" },
      { label: "Models", to: "/models", icon: "model" },
      { label: "Runs", to: "/runs", icon: "run" },
      { label: "Experiments", to: "/experiments", icon: "experiment" },
      { label: "Suites", to: "/suites", icon: "suite" },
      { label: "Scorers", to: "/scorers", icon: "check" },
    ],
  },
  {
    group: "Review",
    places: [
      { label: "Releases", to: "/releases", icon: "release" },
      { label: "Red team", to: "/redteam", icon: "guard" },
      { label: "Audit", to: "/audit", icon: "audit" },
    ],
  },
  {
    group: "Operate",
    places: [
      { label: "Deployments", to: "/deployments", icon: "deploy" },
      { label: "Load tests", to: "/loadtests", icon: "run" },
      { label: "Traces", to: "/traces", icon: "traces" },
      { label: "Sessions", to: "/sessions", icon: "chat" },
      { label: "Users", to: "/users", icon: "members" },
      { label: "Boards", to: "/boards", icon: "board" },
      { label: "Queues", to: "/queues", icon: "check" },
      { label: "Evaluators", to: "/evaluators", icon: "evaluator" },
      { label: "Drift", to: "/drift", icon: "drift" },
      { label: "Monitors", to: "/monitors", icon: "monitor" },
      { label: "Alerts", to: "/alerts", icon: "alert" },
      { label: "Attacks", to: "/attacks", icon: "guard" },
      { label: "Improvement areas", to: "/areas", icon: "up" },
    ],
  },
  {
    group: "Gateway",
    places: [
      { label: "Quick start", to: "/quickstart", icon: "start" },
      { label: "Providers", to: "/providers", icon: "provider" },
      { label: "Routes", to: "/routes", icon: "route" },
      { label: "Cache", to: "/cache", icon: "cache" },
      { label: "Engines", to: "/engines", icon: "engine" },
      { label: "Guards", to: "/guards", icon: "guard" },
      { label: "Keys", to: "/keys", icon: "key" },
      { label: "Budgets and limits", to: "/budgets", icon: "budget" },
      { label: "Usage", to: "/usage", icon: "usage" },
      { label: "Prices", to: "/prices", icon: "price" },
    ],
  },
  {
    group: "Project",
    places: [
      { label: "Members", to: "/members", icon: "members" },
      { label: "Capture", to: "/capture", icon: "filter" },
    ],
  },
];
