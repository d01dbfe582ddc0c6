// The page watches itself: what it asks the network for, and what its own rule forbids.
//
// The rule (Content-Security-Policy, in the page's head) has `connect-src 'none'`: the browser refuses every fetch,
// XMLHttpRequest, WebSocket and beacon of this page. The list of requests is the browser's own, of everything that was
// loaded from elsewhere than the page itself.
"use strict";
(() => {
  const outside = ({ name }) => !/^(blob|data):/.test(name);

  // Call `show(names)` now and at each new request; `names` are addresses asked for since then.
  function watchRequests(show) {
    const names = [];
    show(names);
    new PerformanceObserver((list) => {
      names.push(...list.getEntries().filter(outside).map(({ name }) => name));
      show(names);
    }).observe({ type: "resource" });
  }

  // Try to send a few bytes to another machine, and say what the browser does with them.
  function tryToSend() {
    return new Promise((done) => {
      const refused = ({ violatedDirective }) => done(`The browser refused to send it: rule ${violatedDirective}.`);
      document.addEventListener("securitypolicyviolation", refused, { once: true });
      fetch("https://example.org/", { method: "POST", body: "test", mode: "no-cors" }).then(
        () => done("It was sent: this page is not under its rule. Do not use it with photographs."),
        () => setTimeout(() => done("It was not sent: no network, or the browser refused."), 300),
      );
    });
  }

  Object.assign(facelab, { watchRequests, tryToSend });
})();
