'use strict';
tabs.ring = {
  title: 'Ring', plays: true, dot: 3.2, defaults: { m: 5, nodes: '1,4,9,11,14,18,20,21,28', r: 1, seed: 1 },
  kinds: ['lookup', 'stabilize', 'notify', 'ping', 'event'],
  hint: 'Select a node to see its fingers and the table of its states.',
  name: id => 'node ' + id,
  kill: id => 'kill ' + id,
  place(id) { return { ...around(id / 2 ** state.view.m, 95), layer: 'ring' }; },
  commands() {
    const list = '1,8,14,21,32,38,42,48,51,56';
    return [
      presets([['Ring of node 8', { m: 5, nodes: '1,4,8,11,14,17', r: 1 }], ['Nine nodes', {}], ['Ten nodes, three successors', { m: 6, nodes: list, r: 3 }]]),
      line('Look up', (key, from) => `lookup ${key} ${from}`, [['key', 26], ['from node', 1]]),
      line('Join', (id, contact) => `join ${id} ${contact}`.trim(), [['new node', 24], ['known node', 1]]),
      line('Kill', id => `kill ${id}`, [['node', 14]]),
      line('Leave', id => `leave ${id}`, [['node', 20]]),
      line('Cut off', ids => `cut ${ids}`, [['nodes', '1,4,9,11', true]]),
      line('Cut a link', (one, other) => `link ${one} ${other}`, [['between', 18], ['and', 20]]),
      html('div', { class: 'row' }, html('button', { type: 'button', 'data-do': 'heal', onclick: () => command('heal') }, 'Heal the cut'),
        html('button', { type: 'button', 'data-do': 'garbage', onclick: () => command('garbage') }, 'Wrong fingers')),
    ];
  },
  draw(view) {
    const stage = $('stage');
    if (!stage.firstChild) {
      stage.append(svg('svg', { viewBox: '-125 -120 250 240', role: 'group', 'aria-label': 'Ring of identifiers' },
        svg('circle', { class: 'ring', r: 95 }), svg('g', { id: 'lines' }), svg('g', { 'data-layer': 'ring' }), svg('g', { id: 'nodes' })), html('div', { id: 'joins', 'aria-live': 'polite' }));
    }
    const at = id => tabs.ring.place(id);
    const lines = [];
    for (const node of view.nodes) {
      if (!node.alive || !node.successors.length) continue;
      const a = at(node.id), b = at(node.successors[0]);
      lines.push(svg('path', { class: 'edge', d: `M${a.x} ${a.y}Q${(a.x + b.x) * .38} ${(a.y + b.y) * .38} ${b.x} ${b.y}` }));
    }
    if (view.selected) for (const [, id] of view.selected.fingers) {
      const a = at(view.selected.id), b = at(id);
      lines.push(svg('line', { class: 'finger', x1: a.x, y1: a.y, x2: b.x, y2: b.y }));
    }
    view.lookups.slice(-3).forEach((lookup, nth, shown) => {
      const ids = lookup.owner === null ? lookup.path : [...lookup.path, lookup.owner];
      lines.push(svg('polyline', { class: 'path' + (nth < shown.length - 1 ? ' old' : ''), points: ids.map(id => { const p = at(id); return `${p.x},${p.y}`; }).join(' ') }));
    });
    for (const [one, other] of view.broken) {
      const a = at(one), b = at(other);
      lines.push(svg('line', { class: 'broken', x1: a.x, y1: a.y, x2: b.x, y2: b.y }), svg('text', { class: 'halo', x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }, '✕'));
    }
    redraw($('lines'), lines);
    $('joins').replaceChildren(...view.joins.slice(-2).map(join => [html('h3', {}, `Join of node ${join.node}`), html('ol', {}, join.steps.map(step =>
      html('li', { class: step.done === null ? 'open' : 'done' }, (step.done === null ? '☐ ' : '☑ ') + step.text + (step.done === null ? '' : `, at ${step.done.toFixed(2)} s`))))]).flat());
    const lookup = view.lookups[view.lookups.length - 1];
    redraw($('nodes'), view.nodes.map(node => {
      const { x, y } = at(node.id), size = view.nodes.length > 24 ? 6 : 9;
      const classes = [node.alive ? (node.member ? '' : 'outside') : 'dead', lookup && lookup.owner === node.id ? 'owner' : '',
        lookup && lookup.path.includes(node.id) ? 'asker' : ''].join(' ');
      const label = `node ${node.id}, ${node.alive ? node.state : 'dead'}, owns ${node.keys}, successor ${node.successors[0] ?? 'none'}`;
      const shape = node.cut ? svg('rect', { class: 'node', x: x - size, y: y - size, width: 2 * size, height: 2 * size }) : svg('circle', { class: 'node', cx: x, cy: y, r: size });
      return nodeGroup(node.id, label, classes, shape, svg('text', { x, y }, String(node.id)), node.alive ? null : svg('text', { x: x + size, y: y - size }, '✕'));
    }));
  },
  summary(view) {
    const living = view.nodes.filter(node => node.alive).length;
    const shape = view.ideal ? 'every living node knows its next living node' : 'some node does not know its next living node';
    const lookup = view.lookups[view.lookups.length - 1];
    const found = !lookup ? '' : lookup.failed ? ` The lookup of key ${lookup.key} failed: ${lookup.failed}.`
      : ` Key ${lookup.key}: path ${lookup.path.join(' → ')}, ` + (lookup.owner === null ? 'not answered yet.' : `owner ${lookup.owner}, ${lookup.path.length - 1} forwardings.`);
    return `${living} living nodes; ${shape}${view.cut ? '; the network is cut' : ''}${view.broken.length ? `; ${view.broken.length} links are broken` : ''}${view.merged ? `; rings have merged (${view.merged} nodes report it)` : ''}.${found}`;
  },
  details: node => [html('h3', {}, `Node ${node.id}: ${node.alive ? node.state : 'dead'}`),
    html('p', {}, `owns ${node.keys}; predecessor ${node.predecessor ?? 'none'}; successors ${node.successors.join(', ') || 'none'}`),
    table(['finger', 'start', 'node'], node.fingers.map(([start, id], i) => [i + 1, start, id])),
    html('h3', {}, 'States'), table(['state', 'input', 'next'], node.transitions)],
};
