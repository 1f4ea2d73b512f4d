'use strict';
// The bridge to the crates, time, the log and the address. A tab is an object with: defaults, draw(view), place(node), commands, summary(view).
const began = performance.now();
const $ = id => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
const fill = (node, attrs, children) => {
  for (const [name, value] of Object.entries(attrs || {})) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return node;
};
const html = (name, attrs, ...children) => fill(document.createElement(name), attrs, children);
const svg = (name, attrs, ...children) => fill(document.createElementNS(SVG, name), attrs, children);

const tabs = {};                       // by name
const state = { tab: 'ring', options: {}, view: null, now: 0, next: null, playing: false, selected: null, lines: [], flights: [], commands: [] };
let wasm;

async function start() {
  const packed = Uint8Array.from(atob($('wasm').textContent.trim()), letter => letter.charCodeAt(0));
  const bytes = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
  wasm = new WebAssembly.Instance(new WebAssembly.Module(bytes), {}).exports;
}

// Sends a request to the crates and returns their answer.
function call(request) {
  const bytes = new TextEncoder().encode(request);
  const at = wasm.buffer(bytes.length);
  new Uint8Array(wasm.memory.buffer, at, bytes.length).set(bytes);
  const length = wasm.call();
  return JSON.parse(new TextDecoder().decode(new Uint8Array(wasm.memory.buffer, wasm.buffer(0), length)));
}

function request(text) {
  const answer = call(text);
  if (answer.error) { say(answer.error, true); return false; }
  apply(answer);
  if (typeof answer.said === 'string') say(answer.said);
  return true;
}

function say(text, error) {
  $('said').textContent = text;
  $('said').classList.toggle('error', !!error);
}

function apply(answer) {
  if (answer.fresh) { state.lines = []; $('log').replaceChildren(); }
  state.view = answer.view; state.now = answer.now; state.next = answer.next;
  state.flights = answer.flights; state.commands = answer.commands; state.steps = answer.steps;
  addLines(answer.lines);
  draw();
}

// The time.
let last = 0, frames = 0, measured = 0;
function frame(at) {
  const passed = Math.min(100, at - last) / 1000;
  last = at;
  if (state.playing) {
    frames += 1; measured += passed;
    const now = state.now + passed * Number($('speed').value);
    if (state.next !== null && state.next <= now) request('to ' + now); else { state.now = now; drawFlights(); }
  }
  $('clock').textContent = state.now.toFixed(3) + ' s';
  requestAnimationFrame(frame);
}
function play(on) {
  state.playing = on;
  $('play').textContent = on ? 'Pause' : 'Play';
  if (!on) saveLink();
}
function command(text) {
  if (!request('to ' + state.now)) return false;
  const done = request('do ' + text);
  if (done) { saveLink(); if (tabs[state.tab].plays) play(true); }
  return done;
}
function step(verb) { play(false); request('to ' + state.now); request(verb); saveLink(); }

// The address: #ring?m=5&nodes=1,4&t=2.5&do=0:lookup 26 1;1.5:kill 4
function saveLink() {
  const options = Object.entries(state.options).filter(([, value]) => value !== '').map(([name, value]) => name + '=' + value);
  if (state.now > 0) options.push('t=' + state.now.toFixed(6));
  if (state.commands.length) options.push('do=' + state.commands.map(([at, text]) => at.toFixed(6) + ':' + text).join(';'));
  if (state.selected !== null) options.push('select=' + state.selected);
  history.replaceState(null, '', '#' + state.tab + '?' + options.map(encodeURI).join('&'));
}
function openLink() {
  const [tab, query] = decodeURI(location.hash.slice(1)).split('?');
  const options = {};
  for (const pair of (query || '').split('&').filter(Boolean)) {
    const at = pair.indexOf('=');
    options[at < 0 ? pair : pair.slice(0, at)] = at < 0 ? '' : pair.slice(at + 1);
  }
  const { t, do: commands, select, ...setup } = options;
  if (!open(tabs[tab] ? tab : 'ring', setup)) return;
  for (const entry of (commands || '').split(';').filter(Boolean)) {
    const at = entry.indexOf(':');
    request('to ' + Number(entry.slice(0, at))); request('do ' + entry.slice(at + 1));
  }
  if (t) request('to ' + Number(t));
  if (select) choose(Number(select));
}
function open(tab, options) {
  play(false);
  const setup = { ...tabs[tab].defaults, ...options };
  const text = Object.entries(setup).map(([name, value]) => name + '=' + value).join('&');
  const answer = call('open ' + tab + ' ' + text);
  if (answer.error) { say(answer.error, true); return false; }
  const other = tab !== state.tab || !state.view;
  state.tab = tab; state.options = setup; state.selected = null;
  $('seed').value = setup.seed || 1;
  $('panel').className = tabs[tab].layout || '';
  for (const name of Object.keys(tabs)) {
    const button = $('tab-' + name);
    button.setAttribute('aria-selected', name === tab); button.tabIndex = name === tab ? 0 : -1;
  }
  $('panel').setAttribute('aria-labelledby', 'tab-' + tab);
  $('stage').replaceChildren(); $('details').replaceChildren();
  if (other) { say(''); }
  $('commands').replaceChildren(...tabs[tab].commands());
  answer.fresh = true;
  filters();
  apply(answer);
  return true;
}
function reopen(change) { if (open(state.tab, { ...state.options, ...change })) saveLink(); }

// Drawing.
function draw() {
  const tab = tabs[state.tab];
  tab.draw(state.view);
  $('summary').textContent = tab.summary(state.view);
  if (tab.details) $('details').replaceChildren(...(state.view.selected ? tab.details(state.view.selected) : [html('p', {}, tab.hint)]));
  drawFlights();
}
const SHAPES = {                        // of messages, by kind: a path around 0, 0
  circle: (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`,
  square: (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}Z`,
  triangle: (x, y, r) => `M${x} ${y - r}L${x + r} ${y + r}H${x - r}Z`,
  diamond: (x, y, r) => `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z`,
};
const KINDS = { query: 'circle', lookup: 'circle', request: 'circle', hit: 'square', piece: 'square', stabilize: 'triangle', notify: 'diamond', choke: 'diamond',
  handshake: 'diamond', ping: 'triangle', table: 'triangle', have: 'triangle', other: 'triangle' };
function drawFlights() {
  const tab = tabs[state.tab];
  if (!tab.place) return;
  const paths = new Map();
  for (const [from, to, sent, arrives, kind] of state.flights) {
    const a = tab.place(from), b = tab.place(to);
    if (!a || !b || a.layer !== b.layer) continue;
    const part = arrives > sent ? Math.min(1, Math.max(0, (state.now - sent) / (arrives - sent))) : 1;
    const key = a.layer + ' ' + kind;
    const shape = SHAPES[KINDS[kind] || 'circle'](a.x + (b.x - a.x) * part, a.y + (b.y - a.y) * part, tab.dot || 3);
    paths.set(key, (paths.get(key) || '') + shape);
  }
  for (const layer of document.querySelectorAll('#stage [data-layer]')) {
    const drawn = new Set();
    for (const [key, d] of paths) {
      const [name, kind] = key.split(' ');
      if (name !== layer.dataset.layer) continue;
      let path = layer.querySelector('.k-' + kind);
      if (!path) { path = svg('path', { class: 'flight k-' + kind }); layer.append(path); }
      path.setAttribute('d', d); drawn.add(path);
    }
    for (const path of layer.children) if (!drawn.has(path)) path.setAttribute('d', '');
  }
}
function choose(id) {
  state.selected = id;
  request('to ' + state.now); request('select ' + id); saveLink();
}
// A node of a picture: it can be clicked, reached by Tab, and says what it is.
function nodeGroup(id, label, classes, ...children) {
  return svg('g', { class: classes + (state.selected === id ? ' chosen' : ''), tabindex: 0, role: 'button', 'data-node': id, 'aria-label': label,
    'aria-pressed': state.selected === id,
    onclick: () => choose(id), onkeydown: event => { if (event.key === 'Enter') { event.preventDefault(); choose(id); } } }, ...children);
}
// Replaces the children of a picture and gives the focus back to the node that had it.
function redraw(parent, children) {
  const focus = document.activeElement && document.activeElement.dataset && document.activeElement.dataset.node;
  parent.replaceChildren(...children);
  if (focus !== undefined && focus !== null) { const again = parent.querySelector(`[data-node="${focus}"]`); if (again) again.focus({ preventScroll: true }); }
}
// As redraw, for pictures of many nodes: makes only those anew whose key has changed.
const drawnKeys = new WeakMap();
function redrawChanged(parent, items, key, make) {
  const keys = items.map(key), before = drawnKeys.get(parent);
  drawnKeys.set(parent, keys);
  if (!before || before.length !== keys.length) { redraw(parent, items.map(make)); return; }
  keys.forEach((key, at) => {
    if (key === before[at]) return;
    const old = parent.children[at], node = make(items[at]), focused = old === document.activeElement;
    old.replaceWith(node);
    if (focused) node.focus({ preventScroll: true });
  });
}
const around = (part, radius) => ({ x: radius * Math.sin(2 * Math.PI * part), y: -radius * Math.cos(2 * Math.PI * part) });
function table(head, rows) {
  return html('div', { class: 'scroll' }, html('table', {}, html('thead', {}, html('tr', {}, head.map(text => html('th', { scope: 'col' }, text)))),
    html('tbody', {}, rows.map(row => html('tr', { class: row.here ? 'here' : null }, (row.cells || row).map(cell => html('td', {}, String(cell))))))));
}

// Forms of commands: a text for each field; the button carries the command out.
function line(label, template, fields) {
  const inputs = fields.map(([name, value, wide]) => html('input', { value, class: wide ? 'wide' : null }));
  const run = event => { if (event) event.preventDefault(); command(template(...inputs.map(input => input.value.trim()))); };
  for (const input of inputs) input.addEventListener('keydown', event => { event.stopPropagation(); if (event.key === 'Enter') run(event); });
  return html('div', { class: 'row' }, html('button', { type: 'button', onclick: run, 'data-do': label.toLowerCase() }, label),
    inputs.map((input, at) => html('label', { class: input.className }, fields[at][0] + ' ', input)));
}
function presets(list) {
  return html('div', { class: 'row' }, list.map(([label, options]) => html('button', { type: 'button', 'data-preset': label, onclick: () => {
    if (open(state.tab, options)) saveLink(); } }, label)));
}
function setting(label, name, values) {
  return html('label', {}, label + ' ', html('select', { 'data-setting': name, onchange: event => reopen({ [name]: event.target.value }) },
    values.map(value => html('option', { value, selected: String(state.options[name]) === String(value) ? 'selected' : null }, String(value)))));
}

// The log.
const hidden = new Set();
function filters() {
  const kinds = tabs[state.tab].kinds;
  $('filters').replaceChildren(...kinds.map(kind => html('label', {}, html('input', { type: 'checkbox', style: 'width:auto;min-height:0', 'data-kind': kind,
    checked: hidden.has(kind) ? null : 'checked', onchange: event => { if (event.target.checked) hidden.delete(kind); else hidden.add(kind); showLines(); } }), ' ',
    KINDS[kind] ? svg('svg', { viewBox: '-6 -6 12 12', 'aria-hidden': 'true' }, svg('path', { class: 'k-' + kind, d: SHAPES[KINDS[kind]](0, 0, 5) })) : null, ' ' + kind)),
    html('label', {}, 'Text ', html('input', { id: 'words', onkeydown: event => event.stopPropagation(), oninput: showLines })));
}
const MOST = 400;
function wanted([, , , kind, text]) {
  const words = ($('words') || {}).value || '';
  return !hidden.has(kind) && text.toLowerCase().includes(words.toLowerCase());
}
const item = ([sent, from, to, kind, text, lost]) => html('li', { class: lost ? 'lost' : null, 'data-kind': kind },
  html('b', {}, sent.toFixed(3) + ' s '), from === to ? `${tabs[state.tab].name(from)}: ` : `${tabs[state.tab].name(from)} → ${tabs[state.tab].name(to)}: `, text, lost ? ' (lost)' : '');
function addLines(lines) {
  state.lines.push(...lines);
  if (state.lines.length > 20000) state.lines.splice(0, 5000);
  const log = $('log'), atEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 30;
  log.append(...lines.filter(wanted).slice(-MOST).map(item));
  while (log.children.length > MOST) log.firstChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}
function showLines() {
  $('log').replaceChildren(...state.lines.filter(wanted).slice(-MOST).map(item));
  $('log').scrollTop = $('log').scrollHeight;
}

async function main() {
  await start();
  const names = Object.keys(tabs);
  $('tabs').append(...names.map((name, at) => html('button', { role: 'tab', id: 'tab-' + name, 'aria-controls': 'panel', 'aria-keyshortcuts': at + 1,
    onclick: () => { if (open(name, {})) saveLink(); },
    onkeydown: event => {
      const by = { ArrowRight: 1, ArrowLeft: names.length - 1 }[event.key];
      if (!by) return;
      event.stopPropagation(); event.preventDefault();
      const next = names[(names.indexOf(state.tab) + by) % names.length];
      if (open(next, {})) { saveLink(); $('tab-' + next).focus(); }
    } }, tabs[name].title)));
  $('play').onclick = () => play(!state.playing);
  $('step').onclick = () => step('step');
  $('back').onclick = () => step('back');
  $('restart').onclick = () => reopen({ seed: $('seed').value });
  $('seed').onchange = () => reopen({ seed: $('seed').value });
  $('link').onclick = () => { saveLink(); say('The address of this page is a link to this state.'); if (navigator.clipboard) navigator.clipboard.writeText(location.href).catch(() => {}); };
  $('commands').onsubmit = event => event.preventDefault();
  document.addEventListener('keydown', event => {
    if (event.target.closest('input, select, textarea') || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { ArrowRight: () => step('step'), ArrowLeft: () => step('back'),
      k: () => { const kill = tabs[state.tab].kill; if (kill && state.selected !== null) command(kill(state.selected)); } };
    if (event.key === ' ' && !event.target.closest('button')) { event.preventDefault(); play(!state.playing); }
    else if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
    else if (names[event.key - 1]) { if (open(names[event.key - 1], {})) saveLink(); }
  });
  window.addEventListener('hashchange', openLink);
  openLink();
  requestAnimationFrame(at => { last = at; frame(at); });
  window.lesson = { state, call, command, startMs: performance.now() - began, rate: () => ({ frames, seconds: measured }), trace: () => call('trace').trace };
}
