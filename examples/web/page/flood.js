'use strict';
tabs.flood = {
  title: 'Flood', layout: 'stacked', plays: true, dot: 2.6, defaults: { nodes: 24, degree: 5, ttl: 7, loops: 'drop', seed: 1 },
  kinds: ['query', 'hit', 'duplicate', 'other'],
  hint: 'Select a node to see what it has counted, and how its connections were opened.',
  name: id => id === 3000 ? 'index' : 'node ' + id % 1000 + ['', ' (0.6)', ' (client)'][Math.floor(id / 1000)],
  kill: id => id === 3000 ? 'kill index' : 'kill ' + id % 1000,
  places: new Map(),
  place(id) { return tabs.flood.places.get(id); },
  commands: () => [
    presets([['5 neighbours, 7 hops', {}], ['7 neighbours, 10 hops', { nodes: 60, degree: 7, ttl: 10 }], ['200 nodes', { nodes: 200, degree: 4, ttl: 9 }],
      ['Without loop prevention', { ttl: 4, loops: 'keep' }]]),
    html('div', { class: 'row' }, setting('Nodes', 'nodes', [12, 24, 60, 100, 200, 300]), setting('Neighbours', 'degree', [2, 3, 4, 5, 6, 7, 8]),
      setting('Queries seen before', 'loops', ['drop', 'keep']),
      html('label', {}, 'TTL ', html('input', { type: 'range', min: 1, max: 15, value: state.options.ttl, 'data-setting': 'ttl', 'aria-valuetext': state.options.ttl + ' hops',
        onchange: event => reopen({ ttl: event.target.value }) }), html('output', {}, ' ' + state.options.ttl))),
    line('Search', (node, words) => `search ${node} ${words}`, [['node', 3], ['words', 'debaser', true]]),
    line('Cut a link', (one, other) => `cut ${one} ${other}`, [['between', 0], ['and', 1]]),
    line('Kill', node => `kill ${node}`, [['node', 5]]),
    html('div', { class: 'row' }, html('button', { type: 'button', 'data-do': 'kill index', onclick: () => command('kill index') }, 'Kill the index')),
  ],
  layout_of(network) {
    const places = new Map(), ids = network.nodes.map(node => node[0]);
    const roles = new Map(network.nodes.map(node => [node[0], node[1]]));
    const near = new Map(ids.map(id => [id, []]));
    for (const [a, b] of network.links) { near.get(a).push(b); near.get(b).push(a); }
    const inner = ids.filter(id => ['ultrapeer', 'index'].includes(roles.get(id)));
    if (inner.length) {
      inner.forEach((id, nth) => places.set(id, around(nth / inner.length, inner.length > 1 ? 42 : 0)));
      const outer = ids.filter(id => !places.has(id)), key = id => near.get(id).length ? inner.indexOf(near.get(id)[0]) : 0;
      outer.sort((a, b) => key(a) - key(b) || a - b).forEach((id, nth) => places.set(id, around(nth / outer.length, 92)));
    } else {                             // rings by distance from the node that asks
      const asker = (network.nodes.find(node => node[4]) || network.nodes[0])[0], rings = [[asker]], known = new Set([asker]);
      for (let ring = rings[0]; ring.length; ring = rings[rings.length - 1]) {
        const next = [...new Set(ring.flatMap(id => near.get(id)))].filter(id => !known.has(id));
        next.forEach(id => known.add(id));
        if (!next.length) break;
        rings.push(next);
      }
      const rest = ids.filter(id => !known.has(id));
      if (rest.length) rings.push(rest);
      rings.forEach((ring, at) => ring.forEach((id, nth) => places.set(id, around((nth + at / 3) / ring.length, at * 92 / Math.max(1, rings.length - 1)))));
    }
    return places;
  },
  draw(view) {
    const stage = $('stage');
    if (!$('networks')) {
      stage.append(html('div', { class: 'networks', id: 'networks' }, view.networks.map((network, nth) => html('figure', {},
        html('figcaption', {}, network.name), svg('svg', { viewBox: '-105 -105 210 210', role: 'group', 'aria-label': network.name }, svg('g', { id: 'links' + nth }),
          svg('g', { 'data-layer': String(nth) }), svg('g', { id: 'nodes' + nth })), html('p', { id: 'count' + nth })))));
      tabs.flood.searches = null;
    }
    const fresh = tabs.flood.searches !== view.searches;
    tabs.flood.searches = view.searches;
    view.networks.forEach((network, nth) => {
      if (fresh) for (const [id, place] of tabs.flood.layout_of(network)) tabs.flood.places.set(id, { ...place, layer: String(nth) });
      const at = id => tabs.flood.places.get(id), size = network.nodes.length > 120 ? 2.6 : network.nodes.length > 40 ? 4 : 6.5;
      const key = network.links.length + '/' + view.searches;
      if ($('links' + nth).dataset.key !== key) {
        $('links' + nth).dataset.key = key;
        $('links' + nth).replaceChildren(svg('path', { class: 'edge', d: network.links.map(([a, b]) => `M${at(a).x} ${at(a).y}L${at(b).x} ${at(b).y}`).join('') }));
      }
      redrawChanged($('nodes' + nth), network.nodes, node => node.join() + '/' + view.searches + (state.selected === node[0]), ([id, role, alive, seen, asker, duplicates]) => {
        const { x, y } = at(id), short = id === 3000 ? 'index' : String(id % 1000);
        const classes = asker ? 'asker' : !alive ? 'dead' : seen ? 'seen' : '';
        const label = `${role} ${short}${asker ? ', asks' : ''}${seen ? ', has the query' : ''}${alive ? '' : ', dead'}, ${duplicates} duplicates dropped`;
        const big = role === 'ultrapeer' || role === 'index' ? 1.3 * size : size;
        const shape = role === 'ultrapeer' || role === 'index' ? svg('rect', { class: 'node', x: x - big, y: y - big, width: 2 * big, height: 2 * big }) : svg('circle', { class: 'node', cx: x, cy: y, r: big });
        return nodeGroup(id, label, classes, shape, size > 3 ? svg('text', { x, y, style: `font-size:${size}px` }, short) : null);
      });
      const c = network.counts;
      $('count' + nth).textContent = `${c.messages} messages: ${c.queries} queries, ${c.hits} hits; ${c.duplicates} duplicates dropped; ${c.repeats ? c.repeats + ' passed on again; ' : ''}${c.reached} nodes reached; ${c.found} hits found; ${c.bytes} bytes` +
        (network.setup ? `; ${network.setup} messages before, for tables or logins` : '');
    });
  },
  summary: view => `${view.nodes} nodes in each network. 0.4 has ${view.edges} links: ` + (view.loops
    ? `without loop prevention each copy of a query goes on until its TTL of ${view.ttl} ends, ${view.bound} queries in all; with it, a flood that reaches all costs ${view.law}. `
    : `a flood that reaches all costs 2·${view.edges} − ${view.nodes - 1} = ${view.law} queries, and at most ${view.bound} on a tree with TTL ${view.ttl}. `) +
    `Each node shares one of these: ${view.songs.join(', ')}.`,
  details: node => [html('h3', {}, `${node.role} ${node.id === 3000 ? '' : node.id % 1000}${node.alive ? '' : ', dead'}`), node.file ? html('p', {}, node.file) : null, node.rows ? table(['counted', ''], node.rows) : null,
    ...(node.states ? [html('h3', {}, 'States of both ends of its connection'), table(['end', 'state', 'ends when'], node.states)] : []),
    ...(node.users ? [html('h3', {}, 'States of its users'), table(['state', 'ends when', 'users'], node.users)] : []),
    ...(node.transitions ? [html('h3', {}, 'States of its handshakes'), table(['state', 'input', 'next', 'connections'], node.transitions)] : [])].filter(Boolean),
};
