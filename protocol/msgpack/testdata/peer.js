// The parsers of official clients, driven by lines on standard input:
//
//	generate SEED N   N lines "HEX TEXT HEX...": a random packet as the msgpack
//	                  parser and as the default parser write it
//	decode HEX        what both decoders of notepack.io read, in text form
//	types HEX         constructors of the arguments, and numbers
const modules = process.argv[1] + "/";
const parser = require(modules + "socket.io-msgpack-parser");
const text = require(modules + "socket.io-parser");
const browser = require(modules + "notepack.io/browser/decode.js");

function decode(bytes) {
	let packet;
	const decoder = new parser.Decoder();
	decoder.on("decoded", (p) => { packet = p; });
	decoder.add(bytes);
	return packet;
}

function line(packet) {
	const [head, ...attachments] = new text.Encoder().encode(packet);
	return [head, ...attachments.map((a) => Buffer.from(a).toString("hex"))].join(" ");
}

let state = 1;
function random(n) {
	// mulberry32
	state = (state + 0x6d2b79f5) | 0;
	let t = Math.imul(state ^ (state >>> 15), 1 | state);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) % n;
}

const strings = ["", "a", "é", "\u2028", "😀", "\u0000\n\"\\", "ev".repeat(20), "ü".repeat(200), "x".repeat(70000)];
// Not among them: whole numbers from 2 ** 64 up, which notepack.io destroys.
const numbers = [0, -0, 1, -1, 31, -32, -33, 127, 128, -128, -129, 255, 256, 32767, -32768, -32769, 65535, 65536,
	2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1, 0.1, -1.5, 1e-7,
	NaN, Infinity, -Infinity];

function bytes(n) {
	const b = Buffer.alloc(n);
	for (let i = 0; i < n; i++) b[i] = random(256);
	return b;
}

function value(depth) {
	switch (random(depth > 3 ? 9 : 12)) {
	case 0: return null;
	case 1: return undefined;
	case 2: return random(2) === 0;
	case 3: return numbers[random(numbers.length)];
	case 4: return random(1e9) / 7;
	case 5: return strings[random(random(50) ? strings.length - 1 : strings.length)];
	case 6: return new Date((random(2 ** 31) - 2 ** 30) * 3000 + random(1000));
	case 7: return bytes([0, 1, 8, 255, 256, 300][random(6)]);
	case 8: return new Uint8Array(bytes([0, 1, 8, 16, 300][random(5)]));
	case 9: return Array.from({ length: random(30) ? random(5) : 70 }, () => value(depth + 1));
	case 10: return [value(depth + 1)];
	default: {
		const object = {};
		for (let n = random(30) ? random(5) : 20; n > 0; n--) {
			object[["k" + n, strings[random(6)], n][random(3)]] = value(depth + 1);
		}
		return object;
	}
	}
}

function generate() {
	const nsp = ["/", "/a", "/ü"][random(3)];
	switch (random(8)) {
	case 0: return { type: 0, data: [undefined, { token: "t" }][random(2)], nsp };
	case 1: return { type: 1, nsp };
	case 2: return { type: 3, id: random(1000), data: Array.from({ length: random(3) }, () => value(0)), nsp };
	case 3: return { type: 4, data: ["no", { message: "no" }][random(2)], nsp };
	}
	const packet = { type: 2, data: ["ev", ...Array.from({ length: random(4) }, () => value(0))],
		options: { compress: true }, nsp };
	if (random(2)) packet.id = [0, 1, 127, 128, 70000, 2 ** 53 - 1][random(6)];
	return packet;
}

const out = [];
for (const command of require("fs").readFileSync(0, "utf8").trim().split("\n")) {
	const [name, ...rest] = command.split(" ");
	switch (name) {
	case "generate":
		state = Number(rest[0]) | 0;
		for (let i = 0; i < Number(rest[1]); i++) {
			const packet = generate();
			const packed = Buffer.concat(new parser.Encoder().encode(packet));
			out.push(packed.toString("hex") + " " + line(packet));
		}
		break;
	case "decode": {
		const packed = Buffer.from(rest[0], "hex");
		const answer = line(decode(packed));
		const other = browser(new Uint8Array(packed).buffer);
		new parser.Decoder().checkPacket(other);
		out.push(line(other) === answer ? answer : "browser: " + line(other));
		break;
	}
	case "types": {
		const data = decode(Buffer.from(rest[0], "hex")).data;
		const kind = (v) => v instanceof Buffer ? "Uint8Array" : v.constructor.name;
		out.push(data.map(kind).join(" "));
		out.push(data[2].map((v) => kind(v) + " " + v).join(" "));
		break;
	}
	}
}
process.stdout.write(out.join("\n") + "\n");
