// Socket.IO as its own documentation sets it up, WebSocket only: everyone joins one room, and each line of JSON on
// stdin is sent to it. Run in a directory where npm has installed socket.io.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Server } = createRequire(`${process.cwd()}/`)("socket.io");
const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  serveClient: false,
  perMessageDeflate: false,
  // Its pings are none of what is measured.
  pingInterval: 600000,
  pingTimeout: 600000,
});
io.on("connection", (socket) => socket.join("room"));
createInterface({ input: process.stdin }).on("line", (line) => io.to("room").emit("event", JSON.parse(line)));
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
