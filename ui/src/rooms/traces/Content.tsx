import { useState } from "react";
import type { Span } from "../../api/types";
import { Copy, Segments } from "../../kit/basics";
import { Icon } from "../../kit/icons";
import { pretty, readMessages, type Message } from "./messages";

const VIEWS = ["Messages", "JSON", "Raw"] as const;

/** What a span was given and what it gave, as a conversation, as JSON, or the whole span as it is stored. */
export function Content({ span }: { span: Span }) {
  const [view, setView] = useState<(typeof VIEWS)[number]>("Messages");
  return (
    <section className="stack tight" aria-label="Content">
      <div className="row">
        <Segments value={view} options={VIEWS} label="View of the content" onChange={setView} />
      </div>
      {view === "Raw" ? (
        <Code value={JSON.stringify(span, null, 2)} label="The whole span" />
      ) : (
        <>
          <Side title="Input" value={span.input} role="user" json={view === "JSON"} />
          <Side title="Output" value={span.output} role="assistant" json={view === "JSON"} />
        </>
      )}
    </section>
  );
}

export function Side({ title, value, role, json }: { title: string; value: unknown; role: string; json: boolean }) {
  if (value == null) return <p className="faint">{title}: not captured</p>;
  const messages = json ? undefined : readMessages(value, role);
  return (
    <div className="stack tight">
      <h2 className="sr">{title}</h2>
      {messages ? messages.map((message, index) => <Bubble key={index} message={message} />) : <Code value={pretty(value)} label={title} />}
    </div>
  );
}

function Bubble({ message }: { message: Message }) {
  const text = message.parts.map((part) => part.text).join("\n");
  return (
    <article className={`message ${message.role}`}>
      <header>
        <Icon name={message.role === "tool" ? "tool" : "chat"} size={12} />
        <span>{message.role}</span>
        <span className="id">
          <Copy value={text} what={`Copy the ${message.role} message`} />
        </span>
      </header>
      {message.parts.map((part, index) =>
        part.kind === "text" ? (
          <p key={index}>{part.text}</p>
        ) : (
          <div key={index}>
            <span className="tag">{part.name || part.kind}</span>
            <pre>{part.text}</pre>
          </div>
        ),
      )}
    </article>
  );
}

export function Code({ value, label }: { value: string; label: string }) {
  return (
    <pre className="code" tabIndex={0} aria-label={label}>
      {value}
    </pre>
  );
}
