// Server-sent events from a stream of bytes. EventSource cannot send the token,
// so the page reads the stream itself.

/** Gathers text and gives back the data of each event that is complete. */
export class EventReader {
  #rest = "";

  push(text: string): string[] {
    const parts = (this.#rest + text).split("\n\n");
    this.#rest = parts.pop() ?? "";
    return parts.map(dataOf).filter((data) => data !== "");
  }
}

function dataOf(event: string): string {
  return event
    .split("\n")
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trimStart())
    .join("\n");
}
