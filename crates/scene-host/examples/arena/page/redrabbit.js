// Made of crates/client/typescript/redrabbit.ts by `npm run copies` there.
//
// A client of a RedRabbit gate, for browsers (WebSocket) and Node (WebSocket or TCP).
// This file is all of it: copy it. The protocol is in proto/clients.md.
//
//   const session = await Session.login("ws://127.0.0.1:10243", {
//     key: "ann",
//     onMessage: ({ cmd, body }) => console.log(cmd, decodeText(body)),
//   });
//   session.send(101, ["hello"]);
//
// A connection that is lost is replaced by another one, and no message is lost or comes
// twice, if the gate offers that.
/** Why a session does not begin, or has ended. */
export class GateError extends Error {
    /** A word of the gate's, such as `replaced`; `socket_error` if there was none. */
    reason;
    constructor(reason, message) {
        super(message);
        this.name = "GateError";
        this.reason = reason;
    }
}
export const CMD_VERIFY = 0;
export const CMD_ACK = 65534;
export const CMD_PING = 65535;
export const FLAG_CLOSED = 1;
export const FLAG_RESUME = 2;
export const FLAG_NOTICE = 4;
export const FLAG_TICKET = 8;
export const FLAG_COMPRESSED = 16;
const HEAD_BYTES = 8;
/** No message of a gate is larger. */
const MAX_BODY_BYTES = 1 << 20;
/** As many messages, and bytes, may wait for the gate's word that they have come. */
const MAX_KEPT = 1024;
const MAX_KEPT_BYTES = 256 * 1024;
const ACK_MESSAGES = 16;
const ACK_BYTES = 16 * 1024;
const PING_MS = 20_000;
/** A gate that says nothing for so long after a ping is not there. */
const ANSWER_MS = 25_000;
const ATTEMPT_MS = 5_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
export function decodeText(body) {
    return decoder.decode(body);
}
export function decodeJson(body) {
    return JSON.parse(decodeText(body));
}
export function encodeFrame(cmd, flags, body) {
    const frame = new Uint8Array(HEAD_BYTES + body.length);
    const view = new DataView(frame.buffer);
    view.setUint32(0, body.length, true);
    view.setUint16(4, cmd, true);
    view.setUint16(6, flags, true);
    frame.set(body, HEAD_BYTES);
    return frame;
}
/** Cuts bytes into frames, however they come. */
export class Decoder {
    #kept = new Uint8Array(0);
    push(bytes) {
        const all = new Uint8Array(this.#kept.length + bytes.length);
        all.set(this.#kept);
        all.set(bytes, this.#kept.length);
        const view = new DataView(all.buffer);
        const frames = [];
        let at = 0;
        while (all.length - at >= HEAD_BYTES) {
            const size = view.getUint32(at, true);
            if (size > MAX_BODY_BYTES)
                throw broken(`a frame of ${size} bytes`);
            const end = at + HEAD_BYTES + size;
            if (end > all.length)
                break;
            frames.push({
                cmd: view.getUint16(at + 4, true),
                flags: view.getUint16(at + 6, true),
                body: all.slice(at + HEAD_BYTES, end),
            });
            at = end;
        }
        this.#kept = all.slice(at);
        return frames;
    }
    /** Whether the last frame was whole. */
    get isEmpty() {
        return this.#kept.length === 0;
    }
}
/** Messages that are sent, and kept until the gate says that they have come. */
export class Sent {
    #before = 0;
    #kept = [];
    #gone = 0;
    #bytes = 0;
    #acked = 0;
    get kept() {
        return this.#kept.length;
    }
    get isFull() {
        return this.#kept.length >= MAX_KEPT || this.#bytes >= MAX_KEPT_BYTES;
    }
    push(frame) {
        this.#kept.push(frame);
        this.#bytes += frame.length;
    }
    /** The next that goes out on this connection. */
    next() {
        const frame = this.#kept[this.#gone];
        if (frame)
            this.#gone += 1;
        return frame;
    }
    acknowledge(count) {
        if (count > this.#before + this.#kept.length || count < this.#acked) {
            throw broken(`${count} messages have come, it says`);
        }
        this.#acked = count;
        const come = this.#kept.splice(0, count - this.#before);
        for (const frame of come)
            this.#bytes -= frame.length;
        this.#before = count;
        this.#gone = Math.max(0, this.#gone - come.length);
    }
    /** There is another connection: what has not come goes out again. */
    resume(count) {
        this.acknowledge(count);
        this.#gone = 0;
    }
    /** Nobody will ever say that they have come. */
    forget() {
        this.acknowledge(this.#before + this.#kept.length);
    }
}
/** How many messages have come. */
export class Received {
    #count = 0;
    #told = 0;
    #bytes = 0;
    /** A message has come. Says what the gate is to be told, if it is time to. */
    take(bodyBytes) {
        this.#count += 1;
        this.#bytes += bodyBytes;
        const isDue = this.#count - this.#told >= ACK_MESSAGES || this.#bytes >= ACK_BYTES;
        return isDue ? this.tell() : undefined;
    }
    tell() {
        this.#told = this.#count;
        this.#bytes = 0;
        return this.#count;
    }
}
export function encodeAck(count) {
    return encodeFrame(CMD_ACK, 0, encodeCount(count));
}
export function encodeResume(token, received) {
    const body = new Uint8Array(24);
    body.set(token);
    body.set(encodeCount(received), 16);
    return encodeFrame(CMD_ACK, FLAG_RESUME, body);
}
function encodeCount(count) {
    const body = new Uint8Array(8);
    new DataView(body.buffer).setBigUint64(0, BigInt(count), true);
    return body;
}
export function decodeCount(body) {
    if (body.length !== 8)
        throw broken("a count that is none");
    return Number(new DataView(body.buffer, body.byteOffset, 8).getBigUint64(0, true));
}
export function decodeRedirect(body) {
    if (body.length < 18)
        throw broken("a way to another gate that is none");
    const end = 18 + new DataView(body.buffer, body.byteOffset).getUint16(16, true);
    if (end > body.length)
        throw broken("a way to another gate that is none");
    return { ticket: body.slice(0, 16), address: decodeText(body.slice(18, end)), reply: body.slice(end) };
}
/** A body as it was before the gate compressed it. Makes no more than a message may have. */
export async function inflate(body) {
    const none = "a compressed message that is none";
    if (body.length < 4)
        throw broken(none);
    const size = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
    if (size > MAX_BODY_BYTES)
        throw broken(`a message of ${size} bytes`);
    const inflated = new Uint8Array(size);
    let at = 0;
    try {
        const parts = new Blob([body.subarray(4)]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
        for (let part = await parts.read(); !part.done; part = await parts.read()) {
            inflated.set(part.value, at); // Throws where it is more than it said.
            at += part.value.length;
        }
    }
    catch {
        throw broken(none);
    }
    if (at !== size)
        throw broken(none);
    return inflated;
}
/** Not the end, but the way to another gate. */
class Redirected extends GateError {
    redirect;
    constructor(redirect) {
        super("redirected", `the player goes on at ${redirect.address}`);
        this.redirect = redirect;
    }
}
/** A login, over as many connections as it takes. */
export class Session {
    /** What the game said when it let the player in last. */
    reply = new Uint8Array(0);
    #url;
    /** Where the session is: there, or where it was sent. */
    #gate;
    #options;
    #state = "opening";
    #wire;
    #sent = new Sent();
    #received = new Received();
    #token;
    #patienceMs = 0;
    #heardAt = 0;
    #timers = new Set();
    #stopPinging;
    #waiting = [];
    #compresses = false;
    /** What is being inflated, and what came behind it. */
    #inflating;
    constructor(url, options) {
        this.#url = url;
        this.#gate = url;
        this.#options = options;
    }
    /**
     * Connects to `ws://host:port`, `wss://host` or, in Node, `tcp://host:port` or
     * `tls://host:port`, and logs in; a login gate sends the player on. Fails with a GateError: its `reason` is what the game or the gate said.
     */
    static async login(url, options) {
        const session = new Session(url, options);
        try {
            await session.#logIn();
        }
        catch (error) {
            session.#finish();
            throw error;
        }
        globalThis.addEventListener?.("pagehide", session.#leave);
        return session;
    }
    get isConnected() {
        return this.#state === "up";
    }
    get isResumable() {
        return this.#token !== undefined;
    }
    /** Whether so much waits for the gate's word that `send` throws. */
    get isFull() {
        return this.#sent.isFull;
    }
    /**
     * Sends a message: bytes as they are, a text as UTF-8, all else as JSON. It goes now, or
     * when there is a connection again. Throws when the session is over, and when 1,024
     * messages or 256 KiB wait for the gate's word (`isFull`): wait for `ready` then.
     */
    send(cmd, body) {
        if (this.#state === "over")
            throw new GateError("closed", "the session is over");
        if (this.isFull)
            throw new GateError("full", "the gate is slower than this sends: await ready()");
        const bytes = body instanceof Uint8Array ? body : encoder.encode(typeof body === "string" ? body : JSON.stringify(body));
        this.#sent.push(encodeFrame(cmd, 0, new Uint8Array(bytes)));
        this.#write();
    }
    /** Waits until there is room for a message, or the session is over. */
    async ready() {
        while (this.isFull && !this.isOver) {
            await new Promise((resolve) => this.#waiting.push(resolve));
        }
    }
    /** Ends the session: the game hears of it at once. */
    close() {
        if (this.#token && this.#state === "up") {
            this.#wire?.send(encodeFrame(CMD_ACK, FLAG_CLOSED, new Uint8Array(0)));
        }
        this.#finish();
    }
    /** A page that is left takes its session along; one that is only put aside may come back. */
    #leave = ({ persisted }) => {
        if (!persisted)
            this.close();
    };
    async #logIn(entered) {
        const { key, resume, compress } = this.#options;
        const flags = (resume === false ? 0 : FLAG_RESUME) | (compress ? FLAG_COMPRESSED : 0);
        const login = encodeFrame(CMD_VERIFY, flags, encoder.encode(typeof key === "string" ? key : key()));
        for (const isLast of [false, true]) {
            this.#gate = this.#url;
            const redirect = await this.#begin(login, entered);
            if (!redirect)
                return;
            this.#gate = leadsTo(this.#url, redirect.address);
            const ticket = encodeFrame(CMD_VERIFY, flags | FLAG_TICKET, redirect.ticket);
            try {
                if (await this.#begin(ticket, entered, redirect.reply))
                    throw broken("a ticket for another gate's ticket");
                return;
            }
            catch (error) {
                // It came too late: the next one may not.
                if (isLast || !(error instanceof GateError) || error.reason !== "ticket_refused")
                    throw error;
            }
        }
    }
    /** Says who this is; the answer may be that the player goes on elsewhere. */
    async #begin(first, entered, reply) {
        try {
            await this.#open(first, (answer) => {
                const lost = this.#sent.kept;
                this.#enter(answer);
                this.reply = reply ?? this.reply;
                entered?.(lost);
            });
            return undefined;
        }
        catch (error) {
            if (error instanceof Redirected)
                return error.redirect;
            throw error;
        }
    }
    #enter(answer) {
        if (answer.cmd !== CMD_VERIFY)
            throw broken("no answer to the login");
        if (answer.flags & FLAG_TICKET)
            throw new Redirected(decodeRedirect(answer.body));
        this.#sent = new Sent();
        this.#received = new Received();
        this.#token = undefined;
        this.#compresses = (answer.flags & FLAG_COMPRESSED) !== 0;
        this.reply = answer.body;
        if (answer.flags & FLAG_RESUME) {
            if (answer.body.length < 20)
                throw broken("a way back that is none");
            this.#token = answer.body.slice(0, 16);
            this.#patienceMs = 1000 * new DataView(answer.body.buffer).getUint32(16, true);
            this.reply = answer.body.slice(20);
        }
        this.#state = "up";
        this.#pingLater();
    }
    /** Opens a connection, sends its first frame, and takes the answer: messages may follow at once. */
    async #open(first, take) {
        this.#state = "asking";
        return new Promise((resolve, reject) => {
            let wire;
            let isAnswered = false;
            let isGivenUp = false;
            const fail = (error) => {
                isGivenUp = true;
                wire?.close();
                reject(error);
            };
            const stop = this.#after(ATTEMPT_MS * 3, () => fail(new GateError("socket_error", `${this.#gate} does not answer`)));
            const hearer = {
                frame: (frame) => {
                    this.#heardAt = Date.now();
                    // Nothing is heard of a connection that was given up, though more may have come with this.
                    if (isAnswered)
                        return this.#wire === wire ? this.#hear(frame) : undefined;
                    isAnswered = true;
                    stop();
                    if (frame.cmd === CMD_VERIFY && frame.flags & FLAG_CLOSED) {
                        const reason = decodeText(frame.body);
                        return fail(new GateError(reason, `the gate does not let this client in: ${reason}`));
                    }
                    if (this.isOver)
                        return fail(new GateError("closed", "the session is over"));
                    try {
                        this.#wire = wire;
                        take(frame);
                        resolve();
                    }
                    catch (error) {
                        this.#wire = undefined;
                        fail(error instanceof GateError ? error : broken(String(error)));
                    }
                },
                lost: (error) => {
                    if (!isAnswered)
                        return stop(), reject(error);
                    if (this.#wire === wire)
                        this.#lose(error);
                },
            };
            connect(this.#gate, this.#options, hearer).then((made) => {
                wire = made;
                if (isGivenUp || this.isOver)
                    wire.close();
                else
                    wire.send(first);
            }, (error) => (stop(), reject(error)));
        });
    }
    /** Takes a frame, behind those that are still being inflated. */
    #hear(frame) {
        const isCompressed = this.#compresses && (frame.flags & FLAG_COMPRESSED) !== 0;
        if (!isCompressed && !this.#inflating)
            return this.#hearNow(frame);
        const before = this.#inflating ?? Promise.resolve();
        const behind = before.then(async () => {
            try {
                this.#hearNow(isCompressed ? { ...frame, flags: 0, body: await inflate(frame.body) } : frame);
            }
            catch (error) {
                this.#end(error instanceof GateError ? error : broken(String(error)));
            }
            if (this.#inflating === behind)
                this.#inflating = undefined;
        });
        this.#inflating = behind;
    }
    #hearNow(frame) {
        if (this.isOver)
            return;
        try {
            this.#take(frame);
        }
        catch (error) {
            this.#end(error instanceof GateError ? error : broken(String(error)));
        }
    }
    #take({ cmd, flags, body }) {
        if (cmd === CMD_VERIFY && flags & FLAG_CLOSED) {
            const reason = decodeText(body);
            return this.#end(new GateError(reason, `the gate has closed the session: ${reason}`));
        }
        if (cmd === CMD_VERIFY) {
            // Words that we do not know are for clients who do.
            if (decodeText(body) === "draining")
                tell(() => this.#options.onDraining?.());
            return;
        }
        if (cmd === CMD_PING)
            return this.#pingLater();
        if (cmd === CMD_ACK && this.#token) {
            this.#sent.acknowledge(decodeCount(body));
            this.#wake();
            return;
        }
        const due = this.#received.take(body.length);
        if (due !== undefined && this.#token)
            this.#wire?.send(encodeAck(due));
        tell(() => this.#options.onMessage?.({ cmd, body }));
    }
    #write() {
        if (this.#state !== "up" || !this.#wire)
            return;
        for (let frame = this.#sent.next(); frame; frame = this.#sent.next())
            this.#wire.send(frame);
        if (!this.#token)
            this.#sent.forget();
    }
    /** The connection is lost. That is the end, unless there is a way back. */
    #lose(error) {
        if (this.#state !== "up")
            return;
        this.#stopPinging?.();
        this.#wire?.close();
        this.#wire = undefined;
        if (!this.#token || error.reason !== "socket_error")
            return this.#end(error);
        this.#state = "away";
        tell(() => this.#options.onAway?.());
        void this.#comeBack(Date.now() + this.#patienceMs);
    }
    async #comeBack(until) {
        let pause = FIRST_PAUSE_MS;
        for (;;) {
            try {
                return await this.#resume();
            }
            catch (error) {
                if (this.isOver)
                    return;
                const failure = error instanceof GateError ? error : broken(String(error));
                if (failure.reason === "resume_refused")
                    return this.#beginAfresh();
                if (failure.reason !== "socket_error")
                    return this.#end(failure);
                if (Date.now() + pause > until)
                    return this.#end(failure);
            }
            await new Promise((resolve) => this.#after(pause * (0.5 + Math.random() / 2), resolve));
            if (this.isOver)
                return;
            pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
        }
    }
    async #resume() {
        const token = this.#token;
        if (!token)
            throw broken("no way back");
        // What has come counts, also what is not inflated yet.
        await this.#inflating;
        await this.#open(encodeResume(token, this.#received.tell()), (answer) => this.#goOn(answer));
    }
    #goOn(answer) {
        if (answer.cmd !== CMD_ACK || !(answer.flags & FLAG_RESUME))
            throw broken("no answer to who comes back");
        this.#sent.resume(decodeCount(answer.body));
        this.#state = "up";
        this.#pingLater();
        tell(() => this.#options.onBack?.());
        this.#write();
        this.#wake();
    }
    async #beginAfresh() {
        try {
            await this.#logIn((lost) => tell(() => this.#options.onFresh?.(this.reply, lost)));
            this.#wake();
        }
        catch (error) {
            this.#end(error instanceof GateError ? error : broken(String(error)));
        }
    }
    get isOver() {
        return this.#state === "over";
    }
    /**
     * Asks the gate now and then whether it is there: that keeps the session, too. Each ping
     * is set off by the answer to the one before. Browsers slow chains of timers in hidden
     * tabs to one a minute, which is when a gate closes who is silent; a timer that a message
     * has started is not part of such a chain.
     */
    #pingLater() {
        this.#stopPinging?.();
        this.#stopPinging = this.#after(PING_MS, () => {
            this.#wire?.send(encodeFrame(CMD_PING, 0, new Uint8Array(0)));
            this.#expectAnswer(ANSWER_MS);
        });
    }
    /** What was sent before its answer may take long to come: anything that comes will do. */
    #expectAnswer(ms) {
        this.#stopPinging = this.#after(ms, () => {
            const left = this.#heardAt + ANSWER_MS - Date.now();
            if (left > 0)
                this.#expectAnswer(left);
            else
                this.#lose(new GateError("socket_error", "the gate is silent"));
        });
    }
    #end(error) {
        if (this.isOver)
            return;
        this.#finish();
        tell(() => this.#options.onClosed?.(error));
    }
    #finish() {
        this.#state = "over";
        this.#wire?.close();
        this.#wire = undefined;
        for (const timer of this.#timers)
            clearTimeout(timer);
        this.#timers.clear();
        globalThis.removeEventListener?.("pagehide", this.#leave);
        this.#wake();
    }
    #wake() {
        for (const resolve of this.#waiting.splice(0))
            resolve();
    }
    #after(ms, what) {
        const timer = setTimeout(() => {
            this.#timers.delete(timer);
            what();
        }, ms);
        this.#timers.add(timer);
        return () => {
            clearTimeout(timer);
            this.#timers.delete(timer);
        };
    }
}
/** Tells the application. What it throws is no fault of the gate's: it ends nothing, and nobody catches it. */
function tell(what) {
    try {
        what();
    }
    catch (error) {
        queueMicrotask(() => {
            throw error;
        });
    }
}
function broken(what) {
    return new GateError("protocol_error", `the gate has broken the protocol: ${what}`);
}
/** Where a gate there sends its players. What began with TLS goes on with it. */
function leadsTo(from, to) {
    if (/^(tls|wss):/.test(from) && !/^(tls|wss):/.test(to)) {
        throw broken("a gate with TLS that sends its players to one without");
    }
    return to;
}
async function connect(url, options, hearer) {
    const { protocol, hostname, port } = new URL(url);
    const place = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) };
    if (protocol === "tcp:")
        return overTcp("node:net", "connect", { ...place, noDelay: true }, hearer);
    if (protocol === "tls:")
        return overTcp("node:tls", "secureConnect", { ...place, ca: options.ca }, hearer);
    const made = options.webSocket ?? globalThis.WebSocket;
    if (!made)
        throw new GateError("address", "there is no WebSocket here: give one in the options, or use tcp://");
    return overWebSocket(new made(url), url, hearer);
}
function overWebSocket(socket, url, hearer) {
    socket.binaryType = "arraybuffer";
    let isLost = false;
    const lost = (message) => {
        if (!isLost) {
            isLost = true;
            hearer.lost(new GateError("socket_error", message));
        }
    };
    return new Promise((resolve, reject) => {
        socket.onopen = () => resolve({
            send: (frame) => {
                if (socket.readyState === socket.OPEN)
                    socket.send(frame);
            },
            close: () => {
                isLost = true;
                socket.close();
            },
        });
        socket.onerror = () => {
            reject(new GateError("socket_error", `${url} cannot be reached`));
            lost("the connection has failed");
        };
        socket.onclose = () => {
            reject(new GateError("socket_error", `${url} has closed the connection`));
            lost("the connection was lost");
        };
        socket.onmessage = ({ data }) => {
            if (isLost)
                return;
            try {
                const whole = new Decoder();
                const frames = whole.push(new Uint8Array(data));
                if (frames.length !== 1 || !whole.isEmpty)
                    throw broken("a message that is not one frame");
                hearer.frame(frames[0]);
            }
            catch (error) {
                fail(error, hearer, () => socket.close());
                isLost = true;
            }
        };
    });
}
async function overTcp(module, connected, place, hearer) {
    const node = (await import(module));
    const socket = node.connect(place);
    const frames = new Decoder();
    let isLost = false;
    const lost = (message) => {
        if (!isLost) {
            isLost = true;
            hearer.lost(new GateError("socket_error", message));
        }
    };
    return new Promise((resolve, reject) => {
        socket.on(connected, () => resolve({
            send: (frame) => void (socket.writable && socket.write(frame)),
            close: () => {
                isLost = true;
                // What was written goes out first.
                socket.destroySoon();
            },
        }));
        socket.on("error", (error) => {
            reject(new GateError("socket_error", `${place.host}:${place.port} cannot be reached: ${String(error)}`));
            lost(String(error));
        });
        socket.on("close", () => lost("the connection was lost"));
        socket.on("end", () => lost("the connection was lost"));
        socket.on("data", (bytes) => {
            if (isLost)
                return;
            try {
                for (const frame of frames.push(new Uint8Array(bytes)))
                    hearer.frame(frame);
            }
            catch (error) {
                fail(error, hearer, () => socket.destroy());
                isLost = true;
            }
        });
    });
}
function fail(error, hearer, close) {
    close();
    hearer.lost(error instanceof GateError ? error : broken(String(error)));
}
