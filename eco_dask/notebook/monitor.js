// The front end of eco_dask.monitor: shows the kernel's HTML, and says when the kernel is silent.
//
//   html, trouble, beat (kernel) ─► body, notice      silence, comm closed ─► notice
//
// Plain ES module for anywidget: no build step, no dependency.

/** Silence of this many intervals, and at least this many seconds, is said. */
const QUIET_INTERVALS = 4;
const QUIET_S = 5;

/** Make `to`'s children out of `from`'s, keeping what is equal, so that selections survive. */
function morph(from, to) {
  const wanted = [...to.childNodes];
  wanted.forEach((node, i) => {
    const present = from.childNodes[i];
    if (present === undefined) {
      from.append(node);
    } else if (present.nodeName !== node.nodeName) {
      present.replaceWith(node);
    } else if (node.nodeType === Node.TEXT_NODE) {
      if (present.data !== node.data) present.data = node.data;
    } else {
      for (const { name } of [...present.attributes]) {
        if (!node.hasAttribute(name)) present.removeAttribute(name);
      }
      for (const { name, value } of node.attributes) {
        if (present.getAttribute(name) !== value) present.setAttribute(name, value);
      }
      morph(present, node);
    }
  });
  while (from.childNodes.length > wanted.length) from.lastChild.remove();
}

/** What to say of the news, if anything: pure, and tested by the browser tests. */
export function noticeOf({ gone, trouble, silentS, intervalS, at }) {
  const last = at ? ` The numbers are those of ${at}.` : '';
  if (gone) {
    return `The kernel is gone.${last} Run the cell again to go on.`;
  }
  if (silentS > Math.max(QUIET_S, QUIET_INTERVALS * intervalS)) {
    return `No news from the kernel for ${Math.round(silentS)} s: it is busy or gone.${last}`;
  }
  return trouble ? `${trouble}${last}` : '';
}

function render({ model, el }) {
  el.classList.add('eco-dask-monitor');
  const notice = document.createElement('p');
  notice.className = 'eco-notice';
  notice.setAttribute('role', 'status');
  const body = document.createElement('div');
  body.className = 'eco-body';
  el.append(notice, body);

  let heardAt = Date.now();
  let gone = false;

  const clock = () => {
    const at = body.querySelector('time[data-at]')?.dataset.at;
    return at ? new Date(1000 * Number(at)).toLocaleTimeString() : '';
  };
  const tell = () => {
    const text = noticeOf({
      gone,
      trouble: model.get('trouble'),
      silentS: (Date.now() - heardAt) / 1000,
      intervalS: model.get('interval_s'),
      at: clock()
    });
    if (notice.textContent !== text) notice.textContent = text;
    notice.hidden = text === '';
    el.classList.toggle('eco-stale', text !== '');
  };
  const show = () => {
    const next = document.createElement('template');
    next.innerHTML =
      model.get('html') || '<p class="eco-note">Waiting for the first numbers...</p>';
    for (const time of next.content.querySelectorAll('time[data-at]')) {
      const at = time.dataset.at;
      time.textContent = at ? new Date(1000 * Number(at)).toLocaleTimeString() : '-';
    }
    morph(body, next.content);
  };
  const onNews = () => {
    heardAt = Date.now();
    gone = false;
    show();
    tell();
  };
  // The hosts' widget managers tell a model that its kernel is gone; not all do, so silence counts.
  const onComm = () => {
    gone = true;
    tell();
  };

  model.on('change:beat', onNews);
  model.on('comm_live_update', onComm);
  const timer = setInterval(tell, 1000);
  show();
  tell();
  return () => {
    clearInterval(timer);
    model.off('change:beat', onNews);
    model.off('comm_live_update', onComm);
  };
}

export default { render };
