"use strict";

// What the simulator serves in place of Meta's JavaScript SDK: FB.init and FB.login with a window of its own. Like Meta's, the window
// sends the session event to the page that opened it, and the code by a way that only this script knows.
(() => {
  const script = new URL(document.currentScript.src);
  // Meta's SDK comes from one host and its dialogs from another.
  const dialogs = script.hostname === "connect.facebook.net" ? "https://www.facebook.com" : script.origin;
  let settings = null;

  function login(callback, options) {
    if (!settings) throw new Error("FB.login() called before FB.init().");
    const url = new URL(`${dialogs}/${settings.version}/dialog/embedded-signup`);
    url.searchParams.set("app_id", settings.appId);
    url.searchParams.set("config_id", options.config_id ?? "");
    url.searchParams.set("response_type", options.response_type ?? "");
    url.searchParams.set("override_default_response_type", String(options.override_default_response_type ?? false));
    url.searchParams.set("extras", JSON.stringify(options.extras ?? {}));
    url.searchParams.set("origin", location.origin);
    const dialog = window.open(url, "embedded-signup", "popup,width=520,height=720");
    let over = false;
    const end = (response) => {
      if (over) return;
      over = true;
      clearInterval(watch);
      window.removeEventListener("message", hear);
      callback(response);
    };
    const hear = (event) => {
      if (event.source !== dialog || event.origin !== dialogs || !event.data || event.data.simulator !== "login") return;
      end({ authResponse: { code: event.data.code }, status: "connected" });
    };
    window.addEventListener("message", hear);
    const watch = setInterval(() => {
      if (!dialog || dialog.closed) setTimeout(() => end({ authResponse: null, status: "unknown" }), 300);
    }, 200);
  }

  window.FB = {
    init: (given) => { settings = given; },
    login,
  };
  if (typeof window.fbAsyncInit === "function") window.fbAsyncInit();
})();
