// What a board of ours may be, in Grafana's own types. schema.sh derives board.json from this.
import type * as grafana from "@grafana/schema";
import type { Options as Stat } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type {
  FieldConfig as StateTimelineField,
  Options as StateTimeline,
} from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type {
  FieldConfig as TableField,
  Options as Table,
} from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type {
  FieldConfig as TimeSeriesField,
  Options as TimeSeries,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
// Version 10 is the last that has the types of Prometheus' queries.
import type { PrometheusDataQuery } from "grafana-schema-10/dist/esm/raw/composable/prometheus/dataquery/x/PrometheusDataQuery_types.gen";

interface Field<Custom> extends Omit<grafana.FieldConfig, "custom"> {
  custom?: Custom;
}

interface Panel<Kind extends string, Options, Custom>
  extends Omit<grafana.Panel, "type" | "options" | "fieldConfig" | "targets" | "transformations"> {
  type: Kind;
  options: Options;
  fieldConfig: { defaults: Field<Custom>; overrides: grafana.FieldConfigSource["overrides"] };
  targets: PrometheusDataQuery[];
  transformations?: { id: "organize"; options: { excludeByName: Record<string, boolean> } }[];
}

/** The Prometheus plugin reads the title's format beside what every annotation has. */
interface Annotation extends Omit<grafana.AnnotationQuery, "target"> {
  target: PrometheusDataQuery & { interval?: string };
  titleFormat?: string;
}

/** `definition` is what the plugin's editor shows of a query. */
interface Variable extends grafana.VariableModel {
  definition?: string;
}

export interface Board extends Omit<grafana.Dashboard, "panels" | "annotations" | "templating"> {
  annotations: { list: Annotation[] };
  templating: { list: Variable[] };
  panels: (
    | Panel<"stat", Stat, never>
    | Panel<"state-timeline", StateTimeline, StateTimelineField>
    | Panel<"table", Table, TableField>
    | Panel<"timeseries", TimeSeries, TimeSeriesField>
  )[];
}
