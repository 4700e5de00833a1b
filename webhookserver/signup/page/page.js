"use strict";

// The page of a signup link. It opens Meta's Embedded Signup, gathers the code and the ids, which come apart and in either order, posts
// them within the code's 30 seconds, and shows what became of them. It keeps nothing.
(() => {
  const main = document.querySelector("main[data-launch]");
  if (!main) return;
  const launch = JSON.parse(main.dataset.launch);
  const notice = document.getElementById("notice");
  const start = document.getElementById("start");
  const session = document.getElementById("session");
  const here = location.pathname.replace(/\/+$/, "");

  const idsPatience = 3000; // how long a code waits for the ids; the manager can do without them
  const codeLife = 25000; // how long posting a code is worth trying
  const outcomePatience = 120000; // how long an outcome is waited for
  const approvalPatience = 8 * 3600000; // how long an open page waits for what a person has to do
  const approvalPause = 10000;
  const sdkPatience = 20000;

  let attempt = null; // the present try: {code, codeAt, ids, problem, sent}

  function show(look, title, text, retry) {
    notice.dataset.look = look;
    document.getElementById("title").textContent = title;
    document.getElementById("text").textContent = text;
    start.hidden = !retry;
    start.disabled = !retry || !window.FB;
  }
  const showNotice = (n) => show(n.look, n.title, n.text, n.retry);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  function showSession(id) {
    session.hidden = !id;
    session.textContent = id ? `Session for Meta's support: ${id}` : "";
  }

  // Meta's pages are facebook.com and what is below it, over https. A name that merely ends alike is somebody else's.
  function isMeta(origin) {
    if (launch.origin && origin === launch.origin) return true;
    try {
      const url = new URL(origin);
      return url.protocol === "https:" && (url.hostname === "facebook.com" || url.hostname.endsWith(".facebook.com"));
    } catch {
      return false;
    }
  }

  const digits = (id) => (/^[0-9]{1,32}$/.test(String(id ?? "")) ? String(id) : "");
  const short = (text) => String(text ?? "").slice(0, 300);

  window.addEventListener("message", (event) => {
    if (!attempt || typeof event.data !== "string" || !isMeta(event.origin)) return;
    let message;
    try {
      message = JSON.parse(event.data);
    } catch {
      return; // the SDK's own traffic
    }
    if (!message || message.type !== "WA_EMBEDDED_SIGNUP" || typeof message.event !== "string") return;
    const data = message.data || {};
    if (message.event === "CANCEL" || message.event === "ERROR") {
      attempt.problem = data;
      attempt.kind = message.event;
      showProblem();
      return;
    }
    if (!message.event.startsWith("FINISH")) return;
    attempt.ids = {
      event: /^[A-Z_]{1,64}$/.test(message.event) ? message.event : "",
      wabaID: digits(data.waba_id || (data.waba_ids || [])[0]), phoneNumberID: digits(data.phone_number_id), businessID: digits(data.business_id),
    };
    if (attempt.gotIDs) attempt.gotIDs();
  });

  function showProblem() {
    const data = attempt.problem;
    showSession(short(data.session_id));
    if (data.error_message) {
      const code = short(data.error_code ?? data.error_id);
      show("problem", "Meta could not finish the sign-up", `Meta says: ${short(data.error_message)}${code ? ` (${code})` : ""} You can try again.`, true);
    } else {
      const step = short(data.current_step).replaceAll("_", " ").toLowerCase();
      show("problem", "You left before the end", `Nothing was changed${step ? `; you were at: ${step}` : ""}. You can try again whenever you like.`, true);
    }
  }

  async function finished(current, response) {
    const code = response && response.authResponse && response.authResponse.code;
    if (!code) {
      if (current === attempt && !current.problem) {
        show("problem", "The window was closed before the end", "Nothing was changed. You can try again whenever you like.", true);
      }
      return;
    }
    const codeAt = Date.now();
    show("working", "We are connecting your account", "This takes a few seconds. Please leave this page open.", false);
    if (!current.ids) {
      await Promise.race([wait(idsPatience), new Promise((done) => (current.gotIDs = done))]);
    }
    await post({ code, event: "", wabaID: "", phoneNumberID: "", businessID: "", ...current.ids }, codeAt);
  }

  async function post(body, codeAt) {
    for (;;) {
      let response = null;
      try {
        response = await fetch(here, {
          method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), credentials: "same-origin", redirect: "error",
        });
      } catch {
        response = null; // no answer: the code may be on its way all the same, and posting it again is harmless
      }
      if (response && response.status === 202) {
        await follow((await response.json()).attempt);
        return;
      }
      if (response && response.status < 500) {
        showNotice(await said(response));
        return;
      }
      if (Date.now() - codeAt > codeLife) {
        show("problem", "Your sign-up could not be saved", "We could not be reached in time. Please try again.", true);
        return;
      }
      await wait(1000);
    }
  }

  async function said(response) {
    try {
      const n = await response.json();
      if (n && n.title) return n;
    } catch {
      // not ours: a proxy's page
    }
    return { look: "problem", title: "That did not work", text: "Reload the page and try again.", retry: false };
  }

  // follow shows how the sign-up stands until that is final: soon while it is worked on, and now and then while a person is awaited.
  async function follow(id) {
    const begun = Date.now();
    let patience = outcomePatience;
    let pause = 1000;
    while (Date.now() - begun < patience) {
      try {
        const response = await fetch(`${here}/outcome?attempt=${encodeURIComponent(id)}`, { credentials: "same-origin", redirect: "error" });
        if (response.status !== 429 && response.status < 500) {
          const n = await said(response);
          showNotice(n);
          if (n.look !== "working" && n.look !== "waiting") return;
          if (n.look === "waiting") {
            patience = approvalPatience;
            pause = approvalPause;
          }
        }
      } catch {
        // asked again
      }
      await wait(pause);
    }
    if (notice.dataset.look === "waiting") return; // it says what is awaited
    show("waiting", "This takes longer than usual", "Your sign-up was received. You can close this page; open the link again later to see how it stands.", false);
  }

  start.addEventListener("click", () => {
    const current = { ids: null, problem: null };
    attempt = current;
    showSession("");
    show("working", "Continue in Meta's window", "If you see no window, allow pop-ups for this page and reload it.", false);
    window.FB.login((response) => {
      void finished(current, response);
    }, { config_id: launch.configurationID, response_type: "code", override_default_response_type: true, extras: launch.extras });
  });

  window.fbAsyncInit = () => {
    window.FB.init({ appId: launch.appID, version: launch.version, xfbml: true, autoLogAppEvents: true });
    if (notice.dataset.look !== "working") {
      start.hidden = false;
      start.disabled = false;
    }
  };
  if (["working", "waiting"].includes(notice.dataset.look)) {
    void follow("");
  } else {
    start.hidden = false;
  }
  setTimeout(() => {
    if (!window.FB) {
      show("problem", "Meta's sign-up could not be loaded", "A blocker in your browser, or your network, may keep out connect.facebook.net. Allow it for this page and reload it.", false);
    }
  }, sdkPatience);
})();
