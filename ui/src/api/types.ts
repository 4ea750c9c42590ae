/** Names for the shapes of `openapi.json` that pages pass around. */
import type { components } from "./schema.gen";

type Schemas = components["schemas"];

export type AliasMove = Schemas["AliasMove"];
export type Alert = Schemas["Alert"];
export type DatasetVersion = Schemas["DatasetVersion"];
export type Deployment = Schemas["Deployment"];
export type Experiment = Schemas["Experiment"];
export type ModelFile = Schemas["ModelFile"];
export type ModelVersion = Schemas["ModelVersion"];
export type Profile = Schemas["Profile"];
export type DiffPart = Schemas["DiffPart"];
export type LabelProtection = Schemas["LabelProtection"];
export type PromptMetrics = Schemas["PromptMetrics"];
export type PromptMessage = PromptVersion["messages"][number];
export type PromptVariable = Schemas["Variable"];
export type ScoreMetric = Schemas["ScoreMetric"];
export type PromptSummary = Schemas["PromptSummary"];
export type PromptVersion = Schemas["PromptVersion"];
export type Release = Schemas["Release"];
export type ReleaseEvent = Schemas["ReleaseEvent"];
export type Row = Schemas["Row"];
export type Run = Schemas["Run"];
export type RunEvent = Schemas["RunEvent"];
export type AuditRow = Schemas["AuditRow"];
export type ExperimentRow = Schemas["ExperimentRow"];
export type GateReport = Schemas["GateReport"];
export type Lineage = Schemas["Lineage"];
export type LineageNode = Schemas["Node"];
export type MetricComparison = Schemas["MetricComparison"];
export type NearRow = Schemas["NearRow"];
export type UsageHour = Schemas["UsageHour"];
export type Score = Schemas["Score"];
export type Span = Schemas["SpanDetail"];
export type Trace = Schemas["TraceDetail"];
export type TraceLine = Schemas["TraceLine"];
