(() => {
  const version = document.currentScript.dataset.version;
  let events;
  const listen = () => {
    if (document.hidden) {
      if (events) events.close();
      events = undefined;
    } else if (!events) {
      events = new EventSource("/_preview/events");
      events.onmessage = (event) => {
        if (event.data !== version) location.reload();
      };
    }
  };
  document.addEventListener("visibilitychange", listen);
  addEventListener("pagehide", () => events && events.close());
  listen();
})();
