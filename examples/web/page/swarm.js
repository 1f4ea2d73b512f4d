'use strict';
tabs.swarm = {
  title: 'Swarm', plays: true, dot: 2.8, defaults: { peers: 8, pieces: 24, order: 'rarest', mode: 'swarm', uplink: 32, seeduplink: 64, seed: 1 },
  kinds: ['piece', 'request', 'have', 'choke', 'handshake', 'other', 'event', 'late'],
  hint: 'Select a node to see its connections and their states.',
  name: id => id ? 'peer ' + id : 'seed',
  kill: id => 'kill ' + id,
  place(id) { return { ...around(id / state.view.nodes.length, 88), layer: 'swarm' }; },
  commands: () => [
    presets([['A file', {}], ['From the server alone', { mode: 'server' }], ['In sequence', { order: 'sequential' }], ['A free rider', { rider: 3, pieces: 48 }], ['A liar among them', { liar: 2, seed: 3, peers: 6 }],
      ['Live television', { mode: 'tv', peers: 6, pieces: 48, uplink: 64, seeduplink: 96 }], ['Viewers that send little', { mode: 'tv', peers: 6, pieces: 48, uplink: 4, seeduplink: 96 }]]),
    html('div', { class: 'row' }, setting('Order', 'order', ['rarest', 'random', 'sequential']), setting('Peers', 'peers', [2, 4, 6, 8, 12, 20]), setting('Pieces', 'pieces', [8, 16, 24, 48]),
      setting('Uplink KiB/s', 'uplink', [4, 16, 32, 64, 128])),
    line('Kill', node => `kill ${node}`, [['node, 0 is the seed', 0]]),
    line('Let lie', node => `lie ${node}`, [['peer', 2]]),
    html('div', { class: 'row' }, html('button', { type: 'button', 'data-do': 'compare', onclick: () => tabs.swarm.compare() }, 'Compare the orders')),
    html('div', { id: 'comparison', 'aria-live': 'polite' }),
  ],
  // The same swarm in each order and with a server alone, from the beginning to the end.
  compare() {
    const answer = call('compare');
    if (answer.error) { say(answer.error, true); return; }
    const time = seconds => seconds === null ? 'never' : seconds.toFixed(1) + ' s';
    $('comparison').replaceChildren(table(['order', 'outlives its seed after', 'all complete after'], answer.said.map(row => [row.order, time(row.outlives), time(row.complete)])));
    say('Four swarms ran from beginning to end with these settings.');
  },
  draw(view) {
    const stage = $('stage'), wide = view.pieces * 6 + 40, high = (view.nodes.length + 1) * 8 + 4;
    if (!stage.firstChild) {
      stage.append(svg('svg', { viewBox: '-110 -105 220 210', role: 'group', 'aria-label': 'Swarm' }, svg('g', { id: 'slots' }), svg('g', { 'data-layer': 'swarm' }), svg('g', { id: 'nodes' })),
        html('p', {}, 'A line is an open slot; it begins with a dot at the node that opens it. A dashed one is not earned: the peer that holds it has sent nothing yet. The thick one with a star is the optimistic unchoke, which its holder has whatever its rate.'),
        html('h3', {}, 'Pieces: a row for each node, and how many have each'), html('p', {}, 'Orange with a stroke: one node has it. Blue: some. Green with a dot: all living nodes.'), svg('svg', { id: 'matrix', role: 'img' }));
    }
    const at = id => tabs.swarm.place(id);
    $('slots').replaceChildren(...view.nodes.flatMap(node => node.alive ? node.unchoked.filter(id => view.nodes[id].alive).map(id => { const a = at(node.id), b = at(id);
      const kind = (node.unearned.includes(id) ? ' gift' : '') + (node.optimistic === id ? ' optimistic' : ''), part = share => ({ x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share });
      return [svg('line', { class: 'unchoked' + kind, 'data-slot': `${node.id}-${id}`, x1: a.x, y1: a.y, x2: b.x, y2: b.y }), svg('circle', { class: 'open', cx: part(.16).x, cy: part(.16).y, r: 1.4 }),
        node.optimistic === id ? svg('text', { class: 'halo', x: part(.3).x, y: part(.3).y }, '★') : null]; }) : []).flat().filter(Boolean));
    redraw($('nodes'), view.nodes.map(node => {
      const { x, y } = at(node.id), share = node.count / view.pieces;
      const classes = [node.alive ? '' : 'dead', node.lies ? 'lies' : node.count === view.pieces ? 'whole' : ''].join(' ');
      const label = `${tabs.swarm.name(node.id)}${node.alive ? '' : ', gone'}${node.lies ? ', sends wrong data' : ''}, ${node.count} of ${view.pieces} pieces, unchokes ${node.unchoked.length}, ${node.unearned.length} of them without having received anything${node.optimistic === null ? '' : `; ${tabs.swarm.name(node.optimistic)} has its optimistic slot`}`;
      return nodeGroup(node.id, label, classes, svg('circle', { class: 'node', cx: x, cy: y, r: 9 }),
        share > 0 && share < 1 ? svg('path', { class: 'cell on', style: 'pointer-events:none', d: `M${x} ${y}L${x} ${y - 9}A9 9 0 ${share > .5 ? 1 : 0} 1 ${x + 9 * Math.sin(2 * Math.PI * share)} ${y - 9 * Math.cos(2 * Math.PI * share)}Z` }) : null,
        svg('text', { x, y, class: share > 0 && share < 1 ? 'halo' : null }, node.id ? String(node.id) : 'S'), node.lies ? svg('text', { x: x + 10, y: y - 9 }, '!') : null);
    }));
    const matrix = $('matrix');
    matrix.setAttribute('viewBox', `0 0 ${wide} ${high}`);
    matrix.setAttribute('aria-label', view.nodes.map(node => `${tabs.swarm.name(node.id)} ${node.count} pieces`).join('; '));
    const cell = (row, piece, on) => `M${38 + piece * 6} ${row * 8 + 1}h5.4v6.4h-5.4Z`;
    const living = view.nodes.filter(node => node.alive).length, drawn = { off: '', rare: '', on: '', all: '' }, signs = { rare: '', all: '' };
    view.nodes.forEach((node, row) => [...node.have].forEach((bit, piece) => {
      const kind = bit !== '1' ? 'off' : view.copies[piece] <= 1 ? 'rare' : view.copies[piece] === living ? 'all' : 'on';
      const x = 38 + piece * 6, y = row * 8 + 1;
      drawn[kind] += cell(row, piece);
      if (kind === 'rare') signs.rare += `M${x + 1} ${y + 5.4}l3.4 -4.4`; else if (kind === 'all') signs.all += `M${x + 2.7} ${y + 3.2}h.01`;
    }));
    matrix.replaceChildren(...Object.entries(drawn).map(([kind, d]) => svg('path', { class: 'cell ' + kind, d })), ...Object.entries(signs).map(([kind, d]) => svg('path', { class: 'sign-' + kind, d })),
      ...view.nodes.map((node, row) => svg('text', { x: 19, y: row * 8 + 4.5, style: 'font-size:5px' }, `${tabs.swarm.name(node.id)}${node.alive ? '' : ' ✕'}${node.lies ? ' !' : ''}`)),
      svg('text', { x: 19, y: view.nodes.length * 8 + 4.5, style: 'font-size:5px' }, 'copies'),
      ...view.copies.map((count, piece) => svg('text', { x: 40.7 + piece * 6, y: view.nodes.length * 8 + 4.5, style: 'font-size:4.5px' }, String(count))));
  },
  summary(view) {
    const least = Math.min(...view.copies), banned = [...new Set(view.nodes.flatMap(node => node.banned))];
    const done = view.mode === 'tv' ? `${view.shown} pieces were shown to viewers, ${view.late} of them late.`
      : view.complete === null ? `The rarest piece has ${least} copies.` : `All living peers were complete after ${view.complete.toFixed(1)} s.`;
    const server = view.mode === 'tv' ? '' : ` A server with the seed's uplink alone needs ${view.server.toFixed(1)} s at least.`;
    return done + server + (banned.length ? ` Found lying and banned: ${banned.map(tabs.swarm.name).join(', ')}.` : '');
  },
  details: node => [html('h3', {}, tabs.swarm.name(node.id)), html('p', {}, `${node.count} pieces; ${node.failed} failed their hash; banned: ${node.banned.join(', ') || 'nobody'}; optimistic unchoke: ${node.optimistic === null ? 'nobody' : tabs.swarm.name(node.optimistic)}`),
    html('h3', {}, 'States of its connections'), table(['state', 'peers'], node.states), html('h3', {}, 'Connections'),
    table(['peer', 'pieces', 'interested', 'unchoked', 'unchokes us', 'snubs us', 'KiB in', 'KiB out'], node.peers.map(row => row.map(cell => cell === true ? 'yes' : cell === false ? '–' : cell)))],
};
