"use strict";
// The customer's phone. All text of messages goes through textContent: nothing that a business sends becomes markup.

const $ = (id) => document.getElementById(id);
let numbers = [];
let drawn = "";

function el(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

async function api(path, options) {
  const res = await fetch("/sim/v1" + path, options);
  const body = await res.json();
  if (!res.ok) throw new Error(body.error || "The simulator answered " + res.status);
  return body;
}

async function attempt(work) {
  try {
    await work();
    $("problem").hidden = true;
  } catch (e) {
    $("problem").textContent = e.message;
    $("problem").hidden = false;
  }
}

function send(message, text) {
  return attempt(async () => {
    const body = { from: $("customer").value, name: $("name").value, phoneNumberID: $("number").value };
    if (message) body.message = message; else body.text = text;
    await api("/messages", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    await refresh();
  });
}

function reply(entry, kind, value) {
  const number = numbers.find((n) => n.id === $("number").value);
  return send({
    type: "interactive", context: { from: number.displayPhoneNumber.replace(/\D/g, ""), id: entry.wamid },
    interactive: { type: kind, [kind]: value },
  });
}

function choice(label, note, className, onTap) {
  const b = el("button", className, label);
  b.type = "button";
  if (note) b.append(el("span", "row-note", "\n" + note));
  b.addEventListener("click", onTap);
  return b;
}

// WhatsApp's own marks: *bold*, _italic_, ~struck~. A mark counts at the edge of a word only, so 2*3*4 stays as it is.
const marks = { "*": "strong", _: "em", "~": "s" };

function drawText(bubble, text) {
  const p = el("p", "");
  let from = 0;
  for (const m of text.matchAll(/(?<![\p{L}\p{N}])([*_~])(\S|\S[^\n]*?\S)\1(?![\p{L}\p{N}])/gu)) {
    p.append(text.slice(from, m.index), el(marks[m[1]], "", m[2]));
    from = m.index + m[0].length;
  }
  p.append(text.slice(from));
  bubble.append(p);
}

function drawInteractive(bubble, entry) {
  const p = entry.payload;
  if (p.header && p.header.text) bubble.append(el("p", "head", p.header.text));
  if (p.header && p.header.image) drawMedia(bubble, "image", p.header.image);
  drawText(bubble, entry.text);
  if (p.footer) bubble.append(el("p", "foot", p.footer.text));
  const box = el("div", "choices");
  const action = p.action || {};
  for (const b of action.buttons || []) {
    box.append(choice(b.reply.title, "", "", () => reply(entry, "button_reply", { id: b.reply.id, title: b.reply.title })));
  }
  for (const section of action.sections || []) {
    if (section.title) box.append(el("span", "section", section.title));
    for (const r of section.rows) {
      const value = { id: r.id, title: r.title };
      if (r.description) value.description = r.description;
      box.append(choice(r.title, r.description, "row", () => reply(entry, "list_reply", value)));
    }
  }
  if (action.parameters && action.parameters.url) box.append(el("span", "link", action.parameters.display_text + " · " + action.parameters.url));
  if (box.childElementCount) bubble.append(box);
}

function drawMedia(bubble, type, media) {
  if (media.id && type === "image") {
    const img = el("img");
    img.src = "/sim/v1/media/" + encodeURIComponent(media.id);
    img.alt = media.caption || "Image";
    bubble.append(img);
  } else {
    bubble.append(el("span", "link", type + " · " + (media.filename || media.link || media.id)));
  }
}

function drawBody(bubble, entry) {
  const p = entry.payload || {};
  if (entry.type === "interactive" && entry.direction === "out") return drawInteractive(bubble, entry);
  if (["image", "video", "document", "audio", "sticker"].includes(entry.type)) drawMedia(bubble, entry.type, p);
  else if (!entry.text) bubble.append(el("p", "foot", entry.type));
  if (entry.text) drawText(bubble, entry.text);
}

function drawMeta(entry) {
  const meta = el("span", "meta", new Date(entry.time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) + " ");
  if (entry.direction === "in") {
    const ticks = el("span", entry.read ? "ticks read" : "ticks", "✓✓");
    ticks.setAttribute("role", "img");
    ticks.setAttribute("aria-label", entry.read ? "read" : "delivered");
    meta.append(ticks);
  } else if (entry.status === "failed") {
    meta.append(el("span", "failed", "not delivered (" + entry.error + ")"));
  }
  return meta;
}

function draw(entries) {
  const chat = $("chat");
  chat.replaceChildren();
  for (const entry of entries) {
    const bubble = el("li", entry.direction === "in" ? "bubble mine" : "bubble");
    bubble.dataset.wamid = entry.wamid;
    drawBody(bubble, entry);
    bubble.append(drawMeta(entry));
    chat.append(bubble);
  }
  const typing = entries.some((e) => e.typing);
  $("presence").textContent = typing ? "typing…" : "business account";
  if (typing) {
    const dots = el("li", "bubble typing");
    dots.setAttribute("aria-hidden", "true");
    dots.append(el("i"), el("i"), el("i"));
    chat.append(dots);
  }
  chat.scrollTop = chat.scrollHeight;
}

async function refresh() {
  const number = $("number").value, customer = $("customer").value;
  if (!number || !customer) return;
  const entries = await api("/conversations/" + encodeURIComponent(number) + "/" + encodeURIComponent(customer));
  const state = JSON.stringify(entries) + number + customer;
  if (state === drawn) return;
  drawn = state;
  draw(entries);
}

function showNumber() {
  const n = numbers.find((x) => x.id === $("number").value);
  if (!n) return;
  $("title").textContent = n.verifiedName;
  $("avatar").textContent = n.verifiedName.slice(0, 1);
}

async function start() {
  const world = await api("/world");
  for (const w of world.wabas || []) numbers.push(...(w.phoneNumbers || []));
  const wanted = new URLSearchParams(location.search);
  for (const n of numbers) {
    const o = el("option", "", n.verifiedName + " (" + n.displayPhoneNumber + ")");
    o.value = n.id;
    $("number").append(o);
  }
  const people = world.customers || [];
  for (const c of people) {
    const o = el("option", "", c.name);
    o.value = c.waID;
    $("customers").append(o);
  }
  if (wanted.get("number")) $("number").value = wanted.get("number");
  $("customer").value = wanted.get("customer") || (people.length ? people[0].waID : "16505550100");
  const nameOf = () => (people.find((c) => c.waID === $("customer").value) || { name: "" }).name;
  $("name").value = nameOf();
  $("number").addEventListener("change", () => { showNumber(); attempt(refresh); });
  $("customer").addEventListener("change", () => { $("name").value = nameOf(); attempt(refresh); });
  $("compose").addEventListener("submit", (e) => {
    e.preventDefault();
    const text = $("text").value.trim();
    if (!text) return;
    $("text").value = "";
    send(null, text);
  });
  showNumber();
  await refresh();
  new EventSource("/sim/v1/events").onmessage = () => attempt(refresh);
  setInterval(() => attempt(refresh), 5000); // ends a typing indicator that ran out
}

attempt(start);
