// The numbers of a node, or of the group, with their last minutes. Made once and
// then filled, so that a number changes without its surroundings being drawn anew.
import { make } from "./dom";
import type { History, Metric } from "./history";
import { bytes, byteRate, cores, count, rate } from "./numbers";
import { makeSpark, spark } from "./spark";

const SHOWN: [Metric, string, (value: number | null) => string][] = [
  ["sessions", "Sessions", count],
  ["messages", "Messages", rate],
  ["bytes", "Traffic", byteRate],
  ["queued", "Queued", bytes],
  ["cpu", "Processor", cores],
  ["memory", "Memory", bytes],
];

export class Cards {
  readonly element = make("dl", "cards");
  #cells = SHOWN.map(([metric, title, inWords]) => {
    const [value, line] = [make("dd", "value"), makeSpark()];
    const cell = make("div", "cell", make("dt", "", title), value, line);
    this.element.append(cell);
    return { metric, inWords, cell, value, line };
  });

  show(history: History, id: string, now: number): void {
    for (const { metric, inWords, cell, value, line } of this.#cells) {
      const points = history.points(id, metric);
      const last = points[points.length - 1]?.value ?? null;
      cell.hidden = points.every((point) => point.value === null);
      value.textContent = inWords(last);
      spark(line, points, now);
    }
  }
}
