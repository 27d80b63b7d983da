import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, collect, settle, use } from "../lib/throng.js";

// Eight loops: a room's members live on all of them.
const ctx = use("-loops", "8");

let n = 0;
const fresh = (name) => `${name}-${++n}`;

// Connects sockets and puts each into its rooms.
async function members(...rooms) {
  const sockets = await ctx.server.connectMany(rooms.length);
  await Promise.all(sockets.map((s, i) => ask(s, "join", rooms[i])));
  const heard = sockets.map((s) => collect(s, "news"));
  return { sockets, heard };
}

describe("membership", () => {
  test("begins with a room of the socket's own id", async () => {
    const s = await ctx.server.connect();
    assert.deepEqual(await ask(s, "rooms"), [s.id]);
  });

  test("grows by joining and shrinks by leaving", async () => {
    const s = await ctx.server.connect();
    const [a, b] = [fresh("a"), fresh("b")];
    assert.deepEqual((await ask(s, "join", [a, b])).sort(), [s.id, a, b].sort());
    assert.deepEqual((await ask(s, "join", [a])).sort(), [s.id, a, b].sort(), "joined twice is joined once");
    assert.deepEqual((await ask(s, "leave", a)).sort(), [s.id, b].sort());
    assert.deepEqual((await ask(s, "leave", "never joined")).sort(), [s.id, b].sort());
  });

  test("ends with the connection", async () => {
    const room = fresh("ending");
    const { sockets } = await members([room], [room]);
    const gone = sockets[1].id;
    sockets[1].disconnect();
    const bye = await ctx.server.goodbye(gone);
    assert.deepEqual(bye.disconnecting.rooms.sort(), [gone, room].sort(), "rooms are still known in disconnecting");
    assert.deepEqual(bye.disconnect.rooms, [], "and gone in disconnect");
    assert.deepEqual(await ask(sockets[0], "fetch", [room]), [sockets[0].id]);
  });
});

describe("emitting from a socket", () => {
  test("to a room reaches its other members only", async () => {
    const room = fresh("room");
    const { sockets, heard } = await members([room], [room], [room], [fresh("other")]);
    await ask(sockets[0], "relay", { to: [room], arg: "x" });
    await settle(...sockets);
    assert.deepEqual(heard, [[], ["x"], ["x"], []]);
  });

  test("by broadcast reaches everybody else", async () => {
    const { sockets, heard } = await members([], [], []);
    await ask(sockets[0], "relay", { broadcast: true, arg: "b" });
    await settle(...sockets);
    assert.deepEqual(heard, [[], ["b"], ["b"]]);
  });

  test("except a room leaves its members out", async () => {
    const [room, quiet] = [fresh("room"), fresh("quiet")];
    const { sockets, heard } = await members([room], [room], [room, quiet]);
    await ask(sockets[0], "relay", { to: [room], except: [quiet], arg: "x" });
    await settle(...sockets);
    assert.deepEqual(heard, [[], ["x"], []]);
  });

  test("to another socket's id reaches that socket alone", async () => {
    const { sockets, heard } = await members([], [], []);
    await ask(sockets[0], "relay", { to: [sockets[2].id], arg: "psst" });
    await settle(...sockets);
    assert.deepEqual(heard, [[], [], ["psst"]]);
  });
});

describe("emitting from the server", () => {
  test("to a room reaches all its members, the asking one too", async () => {
    const room = fresh("room");
    const { sockets, heard } = await members([room], [room], []);
    await ask(sockets[0], "relay", { server: true, to: [room], arg: "x" });
    await settle(...sockets);
    assert.deepEqual(heard, [["x"], ["x"], []]);
  });

  test("to two rooms reaches a member of both once", async () => {
    const [a, b] = [fresh("a"), fresh("b")];
    const { sockets, heard } = await members([a], [b], [a, b], []);
    await ask(sockets[0], "relay", { server: true, to: [a, b], arg: "x" });
    await settle(...sockets);
    assert.deepEqual(heard, [["x"], ["x"], ["x"], []]);
  });

  test("except a room and a socket leaves both out", async () => {
    const [a, quiet] = [fresh("a"), fresh("quiet")];
    const { sockets, heard } = await members([a], [a, quiet], [a], [a]);
    await ask(sockets[0], "relay", { server: true, to: [a], except: [quiet, sockets[2].id], arg: "x" });
    await settle(...sockets);
    assert.deepEqual(heard, [["x"], [], [], ["x"]]);
  });

  test("local and volatile reach whoever is ready", async () => {
    const room = fresh("room");
    const { sockets, heard } = await members([room], [room]);
    await ask(sockets[0], "relay", { server: true, to: [room], local: true, arg: "l" });
    await settle(...sockets);
    await ask(sockets[0], "relay", { server: true, to: [room], volatile: true, arg: "v" });
    await settle(...sockets);
    assert.deepEqual(heard, [["l", "v"], ["l", "v"]]);
  });

  test("binary to a room reaches every member whole", async () => {
    const room = fresh("room");
    const { sockets, heard } = await members([room], [room], [room]);
    await ask(sockets[0], "relay", { server: true, to: [room], binary: true, arg: "x" });
    await settle(...sockets);
    for (const h of heard) assert.deepEqual(h, [{ text: "x", bytes: Buffer.from([1, 2, 3]) }]);
  });

  test("from an HTTP request reaches all", async () => {
    const { sockets, heard } = await members([], []);
    const res = await fetch(`${ctx.server.url}/emit?msg=hello`, { method: "POST" });
    assert.equal(res.status, 204);
    await settle(...sockets);
    assert.deepEqual(heard, [["hello"], ["hello"]]);
  });
});

describe("order", () => {
  test("join, then emit to the room: the one that joined hears it", async () => {
    const [s] = await ctx.server.connectMany(1);
    const heard = collect(s, "news");
    const want = [];
    for (let i = 0; i < 100; i++) {
      s.emit("join-and-emit", `order-${i}`, i);
      want.push(i);
    }
    await settle(s);
    assert.deepEqual(heard, want);
  });

  test("leave, then emit to the room: the one that left does not hear it", async () => {
    const [s] = await ctx.server.connectMany(1);
    const heard = collect(s, "news");
    for (let i = 0; i < 100; i++) s.emit("leave-and-emit", `order-${i}`, i);
    await settle(s);
    assert.deepEqual(heard, []);
  });

  test("every member hears 500 messages in the same order", async () => {
    const room = fresh("ordered");
    const { sockets, heard } = await members(...Array.from({ length: 16 }, () => [room]));
    for (let i = 0; i < 500; i++) sockets[0].emit("relay", { server: true, to: [room], arg: i }, () => {});
    await settle(sockets[0]);
    await settle(...sockets);
    const want = Array.from({ length: 500 }, (_, i) => i);
    for (const h of heard) assert.deepEqual(h, want);
  });
});

describe("over a selection of sockets", () => {
  test("fetch finds them", async () => {
    const room = fresh("fetch");
    const { sockets } = await members([room], [room], []);
    assert.deepEqual((await ask(sockets[2], "fetch", [room])).sort(), [sockets[0].id, sockets[1].id].sort());
  });

  test("join and leave move them", async () => {
    const [room, hall] = [fresh("room"), fresh("hall")];
    const { sockets, heard } = await members([room], [room], []);
    await ask(sockets[2], "sockets-join", { to: [room], room: hall });
    await ask(sockets[2], "relay", { server: true, to: [hall], arg: 1 });
    await settle(...sockets);
    assert.deepEqual(heard, [[1], [1], []]);
    await ask(sockets[2], "sockets-leave", { to: [sockets[0].id], room: hall });
    await ask(sockets[2], "relay", { server: true, to: [hall], arg: 2 });
    await settle(...sockets);
    assert.deepEqual(heard, [[1], [1, 2], []]);
  });

  test("disconnect sends them away, and nobody else", async () => {
    const room = fresh("out");
    const { sockets } = await members([room], [room], []);
    const reasons = sockets.slice(0, 2).map((s) => new Promise((r) => s.once("disconnect", r)));
    await ask(sockets[2], "sockets-disconnect", { to: [room] });
    assert.deepEqual(await Promise.all(reasons), ["io server disconnect", "io server disconnect"]);
    assert.equal(await ask(sockets[2], "echo-ack", 1), 1);
  });

  test("close_room: everybody leaves, nobody is disconnected", async () => {
    const room = fresh("closing");
    const { sockets, heard } = await members([room], [room]);
    await ask(sockets[0], "close-room", room);
    await ask(sockets[0], "relay", { server: true, to: [room], arg: 1 });
    await settle(...sockets);
    assert.deepEqual(heard, [[], []]);
  });
});
