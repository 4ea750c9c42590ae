/** The icons, one path each on a 16-pixel grid, drawn with the text's colour. */
const PATHS = {
  home: "M2.5 7.5 8 3l5.5 4.5M4 6.5V13h3V9.5h2V13h3V6.5",
  traces: "M2.5 3.5h7M4.5 6.5h9M6.5 9.5h5M4.5 12.5h6",
  data: "M3 4.5c0-1.1 2.2-2 5-2s5 .9 5 2-2.2 2-5 2-5-.9-5-2Zm0 0v7c0 1.1 2.2 2 5 2s5-.9 5-2v-7M3 8c0 1.1 2.2 2 5 2s5-.9 5-2",
  model: "M8 2 13.5 5v6L8 14 2.5 11V5L8 2Zm0 6 5.5-3M8 8v6M8 8 2.5 5",
  release: "M8 2.5 13 4v4c0 3-2.2 4.8-5 5.8C5.2 12.8 3 11 3 8V4l5-1.5ZM5.8 8l1.6 1.6 2.9-3.1",
  run: "M13.5 8A5.5 5.5 0 1 1 8 2.5M8 5v3l2 1.5M11 2.5h2.5V5",
  deploy: "M8 10.5v-8M5 5l3-3 3 3M2.5 10.5v3h11v-3",
  alert: "M8 2.5c-2.2 0-3.8 1.6-3.8 3.8 0 3.2-1.4 4-1.4 4.7h10.4c0-.7-1.4-1.5-1.4-4.7 0-2.2-1.6-3.8-3.8-3.8ZM6.7 13.2c.3.5.7.8 1.3.8s1-.3 1.3-.8",
  audit: "M4 2.5h5.5L12 5v8.5H4v-11ZM6 7h4M6 9.5h4M6 12h2",
  prompt: "M2.5 3.5h11v7h-6l-3 3v-3h-2v-7ZM5 6h6M5 8h4",
  experiment: "M6 2.5v4L2.8 12c-.4.8 0 1.5.9 1.5h8.6c.9 0 1.3-.7.9-1.5L10 6.5v-4M5 2.5h6M4.6 10h6.8",
  suite: "M6.5 4h7M6.5 8h7M6.5 12h7M2.500 4l1 1 1.500-2M2.500 8l1 1 1.500-2M2.500 12l1 1 1.500-2",
  guard: "M8 2.5 13 4v4c0 3-2.2 4.8-5 5.8C5.2 12.8 3 11 3 8V4l5-1.5Z",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14",
  check: "m3 8.5 3.2 3L13 4.5",
  cross: "m4 4 8 8m0-8-8 8",
  warn: "M8 2.8 14 13H2L8 2.8ZM8 6.5v3M8 11.2v.1",
  info: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Zm0-6.5V11M8 5v.1",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 5v3.2l2 1.3",
  spin: "M8 2a6 6 0 1 1-6 6",
  dot: "M8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  copy: "M5.5 5.5h8v8h-8v-8ZM3 10.5H2.5v-8h8V3",
  up: "m4 10 4-4 4 4",
  down: "m4 6 4 4 4-4",
  right: "m6 4 4 4-4 4",
  open: "M9 3h4v4M13 3 7.5 8.5M11.5 9v4H3V4.5h4",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1.5V3M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3a4.5 4.5 0 0 0 6.5 6.5Z",
  out: "M6.5 2.5h-4v11h4M10 5l3 3-3 3M13 8H6",
  lineage: "M4 5.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM4 13.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM12 9.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM5.5 4c3 0 2.5 4 5 4M5.5 12c3 0 2.5-4 5-4",
  chat: "M2.5 3.5h11v7h-6l-3 3v-3h-2v-7Z",
  tool: "m9.5 6.5-6 6 1 1 6-6M9.5 6.5a3 3 0 0 1 3.6-4L11 4.6l.4 1.2 1.2.4 2-2.1a3 3 0 0 1-4.1 3.4",
  filter: "M2.5 3.5h11L9.5 8.3v4.2l-3 1V8.3L2.5 3.5Z",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  download: "M8 2.5v8M5 7.5l3 3 3-3M2.5 13.5h11",
  key: "M5.5 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6Zm3-3h6M12 8v2.5",
  budget: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM10 6c-.3-.7-1-1-2-1s-2 .5-2 1.5S7 7.9 8 8s2 .5 2 1.5S9 11 8 11s-1.8-.4-2-1.100M8 4v1M8 11v1",
  usage: "M2.5 13.500h11M4 11V8M7 11V4M10 11V6.500M13 11V9",
  provider: "M4.5 12a3 3 0 0 1-.3-6 4 4 0 0 1 7.7.900A2.6 2.6 0 0 1 11.5 12h-7Z",
  engine: "M5 5h6v6H5V5ZM6.5 2.500V5M9.5 2.500V5M6.5 11v2.500M9.5 11v2.500M2.5 6.500H5M2.5 9.500H5M11 6.500h2.500M11 9.500h2.5",
  price: "M8.5 2.500h5v5l-6 6-5-5 6-6ZM11 5.100v.1",
  members: "M6 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.8 13.500c0-2.5 1.7-4 4.2-4s4.2 1.5 4.2 4M10.5 3.200a2.5 2.5 0 0 1 0 4.600M12 9.800c1.4.6 2.2 1.9 2.2 3.7",
  start: "M5 3.500v9l7.5-4.500L5 3.500Z",
  route: "M3.5 4.500a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM12.5 14.500a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM5 3h5a2.5 2.5 0 0 1 0 5H6a2.5 2.5 0 0 0 0 5h5",
  cache: "M9 1.5 3.5 9H8l-1 5.500L12.5 7H8l1-5.500Z",
  evaluator: "M3 13.5V9M6.3 13.500V5.5M9.600 13.500V7.500M13 13.500V3.500M2.500 3.500l1.500 1.500 2.500-2.500",
  drift: "M2 11.500c1.500 0 2-6 4-6s2.500 6 4 6M6 8.500c1.500 0 2-6 4-6s2.500 6 4 6",
  monitor: "M2 8.500h2.700l1.800-5 3 9 1.800-4H14",
  board: "M2.500 2.500h4.500v6H2.500v-6ZM9 2.500h4.500v3.500H9V2.500ZM9 8h4.500v5.500H9V8ZM2.500 10.500H7v3H2.500v-3Z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16, className }: { name: IconName; size?: number; className?: string }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      className={className}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The product's mark: a coiled spring. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" fill="none" aria-hidden="true" className="mark">
      <path
        d="M15.5 15.5a2 2 0 0 1 4 0a5 5 0 0 1-10 0a8 8 0 0 1 16 0a11 11 0 0 1-22 0v11"
        stroke="currentColor"
        strokeWidth="2.6"
        strokeLinecap="round"
      />
    </svg>
  );
}
