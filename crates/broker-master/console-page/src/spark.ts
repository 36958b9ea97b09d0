// A small line of the last minutes.
import { area, line } from "d3-shape";

import { KEPT_MS, type Point } from "./history";

export const SPARK = { width: 160, height: 34 };
const NS = "http://www.w3.org/2000/svg";

/** Draws these points into an element; the right edge is now. */
export function spark(into: SVGSVGElement, points: Point[], now: number): void {
  const most = Math.max(0, ...points.map(({ value }) => value ?? 0));
  const x = ({ at }: Point) => SPARK.width * (1 - (now - at) / KEPT_MS);
  // What never was anything lies at the bottom; a steady number fills the height.
  const y = ({ value }: Point) => SPARK.height - 1.5 - (most <= 0 ? 0 : ((value ?? 0) / most) * (SPARK.height - 4));
  const known = ({ value }: Point) => value !== null;
  const shapes = {
    fill: area<Point>().defined(known).x(x).y0(SPARK.height).y1(y)(points),
    line: line<Point>().defined(known).x(x).y(y)(points),
  };
  for (const [name, d] of Object.entries(shapes)) {
    const path = into.querySelector(`.${name}`) ?? into.appendChild(document.createElementNS(NS, "path"));
    path.setAttribute("class", name);
    path.setAttribute("d", d ?? "");
  }
}

export function makeSpark(): SVGSVGElement {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", `0 0 ${SPARK.width} ${SPARK.height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  return svg;
}
