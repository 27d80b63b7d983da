// npm install socket.io-client@4
import { useEffect, useState } from "react";
import { io } from "socket.io-client";

// One connection for the whole application, outside of any component. From
// another origin: io("http://localhost:5000/notify"), and start the server
// with --cors-allowed-origins.
const socket = io("/notify");

export default function Notifications() {
  const [connected, setConnected] = useState(socket.connected);
  const [messages, setMessages] = useState([]);

  useEffect(() => {
    const up = () => setConnected(true);
    const down = () => setConnected(false);
    const hear = ({ msg }) => setMessages((all) => [...all, msg]);
    socket.on("connect", up);
    socket.on("disconnect", down);
    socket.on("notification", hear);
    return () => {
      socket.off("connect", up);
      socket.off("disconnect", down);
      socket.off("notification", hear);
    };
  }, []);

  return (
    <section>
      <p>{connected ? "connected" : "connecting..."}</p>
      <ul>{messages.map((msg, i) => <li key={i}>{msg}</li>)}</ul>
    </section>
  );
}
