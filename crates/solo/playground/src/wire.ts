// The client protocol: an 8-byte little-endian head (size of the body, command,
// flags), then the body. One binary WebSocket message is exactly one frame.

export const HEAD_BYTES = 8;
export const CMD_VERIFY = 0;
export const CMD_CHAT = 1;
export const CMD_PING = 65535;
export const FLAG_CLOSED = 1;

export interface Frame {
  cmd: number;
  flags: number;
  body: Uint8Array<ArrayBuffer>;
}

export function encodeFrame(cmd: number, body: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(body);
  const frame = new Uint8Array(HEAD_BYTES + bytes.length);
  const head = new DataView(frame.buffer);
  head.setUint32(0, bytes.length, true);
  head.setUint16(4, cmd, true);
  frame.set(bytes, HEAD_BYTES);
  return frame;
}

/** The frame in a message, or null for what is not exactly one frame. */
export function decodeFrame(message: ArrayBuffer): Frame | null {
  if (message.byteLength < HEAD_BYTES) return null;
  const head = new DataView(message);
  if (head.getUint32(0, true) !== message.byteLength - HEAD_BYTES) return null;
  return {
    cmd: head.getUint16(4, true),
    flags: head.getUint16(6, true),
    body: new Uint8Array(message, HEAD_BYTES),
  };
}

export function bodyText(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}
