"use strict";

(() => {
  const main = document.querySelector("main");
  const value = (id) => document.getElementById(id).value;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const late = 6000; // longer than any page should make its code wait

  function tell(event) {
    // Other traffic of Meta's goes the same way and is no JSON.
    window.opener.postMessage("cb=f1a2b3&relation=opener", main.dataset.origin);
    window.opener.postMessage(JSON.stringify(event), main.dataset.origin);
  }

  document.getElementById("form").addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const problem = document.getElementById("problem");
    problem.textContent = "";
    const response = await fetch("/dialog/embedded-signup", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ appID: main.dataset.app, wabaID: value("account"), outcome: value("outcome") }),
    });
    const result = await response.json();
    if (!response.ok) {
      problem.textContent = result.error;
      return;
    }
    const delivery = result.code ? value("delivery") : "ids_first";
    const login = () => window.opener.postMessage({ simulator: "login", code: result.code }, main.dataset.origin);
    if (delivery === "ids_first") tell(result.event);
    if (result.code) login();
    if (delivery === "code_first") tell(result.event);
    if (delivery === "ids_late") {
      await wait(late);
      tell(result.event);
    }
    window.close();
  });
})();
