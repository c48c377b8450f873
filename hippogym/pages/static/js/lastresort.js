// The last resort: whatever goes wrong and is caught nowhere is shown as a sentence, with a next step.
// An ordinary script, loaded before the modules, so that it is there when one of them cannot even be loaded.
(function () {
  'use strict';

  function show(reason) {
    const box = document.getElementById('failure');
    if (!box || !box.hidden) return; // the first failure says most
    document.getElementById('failure-text').textContent =
      'Something on this page went wrong. Reloading it usually helps, and a game that is under way goes on. ' +
      (reason ? '(' + String(reason).slice(0, 200) + ')' : '');
    document.getElementById('failure-reload').addEventListener('click', function () {
      location.reload();
    });
    box.hidden = false;
  }

  addEventListener(
    'error',
    function (event) {
      const failed = event.target;
      if (failed && (failed.tagName === 'SCRIPT' || failed.tagName === 'LINK')) {
        show('a part of the page could not be loaded');
      } else if (event.message && !event.message.startsWith('ResizeObserver')) {
        show(event.message);
      }
    },
    true,
  );
  addEventListener('unhandledrejection', function (event) {
    show((event.reason && event.reason.message) || event.reason);
  });
})();
