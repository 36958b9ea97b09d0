// How links are drawn: their curve, and how much of them is seen.
import type { Place } from "./layout";
import type { Link } from "./state";

/** What a broker may have waiting for a node before its link is drawn as full. */
const BUSY_BYTES = 64 * 1024;

export function keyOf({ node, broker }: Link): string {
  return `${node} ${broker}`;
}

/** From a node to a broker: from edge to edge, and around what is in between. */
export function curve(node: Place, broker: Place): string {
  const [nx, bx] = [node.x + node.width / 2, broker.x + broker.width / 2];
  if (Math.abs(node.y - broker.y) < 1) {
    const top = node.y - Math.min(22, 6 + Math.abs(nx - bx) / 12);
    return `M${nx},${node.y}C${nx},${top} ${bx},${top} ${bx},${broker.y}`;
  }
  const above = node.y < broker.y;
  const ny = above ? node.y + node.height : node.y;
  const by = above ? broker.y : broker.y + broker.height;
  const half = (ny + by) / 2;
  return `M${nx},${ny}C${nx},${half} ${bx},${half} ${bx},${by}`;
}

/** Where a word about the link stands, near the one end or the other. */
export function labelAt(node: Place, broker: Place, near: "node" | "broker"): { x: number; y: number } {
  const [nx, bx] = [node.x + node.width / 2, broker.x + broker.width / 2];
  if (Math.abs(node.y - broker.y) < 1) return { x: (nx + bx) / 2, y: node.y - 14 };
  const above = node.y < broker.y;
  const ny = above ? node.y + node.height : node.y;
  const by = above ? broker.y : broker.y + broker.height;
  // On the curve, whose ends go straight up and down.
  const t = near === "node" ? 0.34 : 0.8;
  const turn = t * t * (3 - 2 * t);
  const half = 1.5 * t * (1 - t) + t * t * t;
  return { x: nx + (bx - nx) * turn, y: ny + (by - ny) * half };
}

/** The busiest are the thickest; the more there are, the quieter each. */
export function weight(link: Link, most: number, many: number): { width: number; opacity: number } {
  const share = most <= 0 ? 0 : Math.sqrt(link.messages / most);
  const quiet = many > 400 ? 0.06 : many > 80 ? 0.14 : 0.4;
  const room = many > 400 ? 1.4 : many > 80 ? 2 : 3.5;
  return { width: 1 + room * share, opacity: quiet + (many > 400 ? 0.26 : 0.4) * share };
}

export function isBusy(link: Link): boolean {
  return link.queued > BUSY_BYTES;
}
