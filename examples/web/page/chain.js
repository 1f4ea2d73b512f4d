'use strict';
tabs.chain = {
  title: 'Chain', defaults: { bits: 8 }, kinds: ['work', 'transaction', 'block', 'verdict'],
  hint: 'Select a block of the branches to see what the node reported of it.',
  name: id => '#' + id,
  commands: () => [
    html('h2', {}, 'Ledger'),
    line('Pay', (from, to, amount) => `pay ${from} ${to} ${amount}`, [['from', 'ann'], ['to', 'ben'], ['amount', 60]]),
    line('Pay again with the same coins', (from, to, amount) => `again ${from} ${to} ${amount}`, [['from', 'ann'], ['to', 'cat'], ['amount', 60]]),
    line('Forge a payment', (from, to, amount) => `forge ${from} ${to} ${amount}`, [['from', 'ann'], ['to', 'ben'], ['amount', 10]]),
    line('Mine a block', parent => ('block ' + parent).trim(), [['on block (else the tip)', '']]),
    line('Prove', (block, leaf) => `prove ${block} ${leaf}`, [['block', 1], ['transaction', 0]]),
    html('div', { class: 'row' }, html('button', { type: 'button', onclick: () => command('forget'), 'data-do': 'forget' }, 'Forget what waits')),
  ],
  draw(view) {
    if (!$('blocks')) {
      $('stage').append(html('h2', {}, 'Blocks: type into one'), html('div', { class: 'blocks', id: 'blocks' }),
        html('div', { id: 'ledger' }));
      $('blocks').append(...view.blocks.map(({ number }) => {
        const put = (name, value) => { if (command(`${name} ${number} ${value}`)) $('b' + number).querySelector('.sign').scrollIntoView({ block: 'nearest' }); };
        const field = (name, label) => html('label', {}, label + ' ', html('input', { class: 'wide', name, 'data-block': number,
          onkeydown: event => event.stopPropagation(), oninput: event => { if (name === 'data' || /^\d+$/.test(event.target.value)) put(name, event.target.value); } }));
        return html('article', { class: 'block', id: 'b' + number, 'aria-label': 'block ' + number }, html('h3', {}, 'Block ' + number), field('nonce', 'Nonce'), field('data', 'Data'),
          html('p', { class: 'mono previous' }), html('p', { class: 'mono hash' }), html('p', { class: 'sign', 'aria-live': 'polite' }),
          html('button', { type: 'button', 'data-mine': number, onclick: () => command('mine ' + number) }, 'Mine'));
      }));
    }
    for (const block of view.blocks) {
      const card = $('b' + block.number);
      card.className = 'block ' + (block.valid ? 'good' : 'bad');
      card.querySelector('.previous').textContent = 'previous ' + block.previous;
      card.querySelector('.hash').textContent = 'hash ' + block.hash;
      card.querySelector('.sign').textContent = block.valid ? '✓ valid' : block.mined ? '✗ invalid: a block before it is' : '✗ invalid: the hash does not begin with 0000';
      for (const input of card.querySelectorAll('input')) if (document.activeElement !== input) input.value = block[input.name];
    }
    redraw($('ledger'), [html('h2', {}, 'Branches'), branches(view.ledger.blocks, view.ledger.tip, { pick: block => `block ${block.number}, height ${block.height}, ${block.best ? 'on the best branch' : 'on another branch'}` }), ...(view.ledger.proof ? [html('h2', {}, 'Proof of inclusion'), merkle(view.ledger.proof)] : []),
      html('h2', {}, 'Accounts'), table(['name', 'account', 'coins'], view.ledger.people.map(one => [one.name, one.account, one.balance])),
      html('h3', {}, 'Waiting for a block'), html('ol', { id: 'pool', class: 'mono' }, view.ledger.pool.map(text => html('li', {}, text))),
      html('h3', {}, 'Blocks of the ledger'), table(['block', 'id', 'on', 'height', 'hashes', 'transactions'],
        view.ledger.blocks.map(block => ({ here: block.number === view.ledger.tip, cells: [block.number, block.id, block.number ? block.parent : '', block.height, block.hashes, block.transactions.join('; ')] })))]);
  },
  summary(view) {
    const bad = view.blocks.filter(block => !block.valid);
    const blocks = bad.length ? `Blocks ${bad.map(block => block.number).join(', ')} are invalid.` : 'All five blocks are valid.';
    return `${blocks} The tip of the ledger is block ${view.ledger.tip} at height ${view.ledger.height}; ${view.ledger.pool.length} transactions wait.`;
  },
  details: block => [html('h3', {}, `Block ${block.number} of the ledger, height ${block.height}`), html('p', { class: 'mono' }, block.id),
    html('h3', {}, 'What the node reported'), table(['outcome', 'meaning', 'times'], block.states)],
};
// The tree of blocks: each with number, parent, height and whether it is on the best branch. A parent may be missing.
function branches(blocks, tip, { mark = () => '', pick = null } = {}) {
  const row = {}, rows = [], known = new Map(blocks.map(block => [block.number, block]));
  for (const block of blocks) {            // a branch keeps the row of its parent if that is free behind it
    const near = row[block.parent] ?? 0;
    const free = nth => !blocks.some(other => other.number < block.number && row[other.number] === nth && other.height >= block.height);
    let nth = near; while (!free(nth)) nth += 1;
    row[block.number] = nth; rows.push(nth);
  }
  const heights = blocks.map(block => block.height), first = Math.min(...heights);
  const width = 40 * (Math.max(...heights) - first + 1) + 20, height = 30 * (Math.max(...rows) + 1) + 10;
  const x = block => 25 + 40 * (block.height - first), y = block => 20 + 30 * row[block.number];
  const edge = block => { const parent = known.get(block.parent); return parent && parent !== block ? svg('line', { class: 'edge', x1: x(parent), y1: y(parent), x2: x(block), y2: y(block) }) : null; };
  return html('div', { class: 'scroll' }, svg('svg', { viewBox: `0 0 ${width} ${height}`, style: `min-width:${Math.min(width * 1.6, 1200)}px;max-width:${width * 3}px`, role: pick ? 'group' : 'img', 'aria-label': `${blocks.length} blocks; the best branch ends in block ${tip}` },
    blocks.map(edge), blocks.map(block => {
      const drawn = [svg('rect', { class: 'leafbox' + (block.best ? ' best' : ''), x: x(block) - 15, y: y(block) - 9, width: 30, height: 18, rx: block.best ? 0 : 8 }),
        svg('text', { x: x(block), y: y(block) }, block.number + mark(block) + (block.number === tip ? ' ◀' : ''))];
      return pick ? nodeGroup(block.number, pick(block), 'pickable', ...drawn) : drawn;
    })));
}
function merkle(proof) {
  const depth = Math.max(...proof.nodes.map(node => node.depth)), width = 44 * proof.size + 20;
  const x = node => 10 + 44 * (node.first + node.len / 2), y = node => 16 + 30 * node.depth;
  const parent = node => proof.nodes.find(other => other.depth === node.depth - 1 && other.first <= node.first && other.first + other.len >= node.first + node.len);
  return html('div', { class: 'scroll' }, html('p', { id: 'proof' }, `Transaction ${proof.leaf} of ${proof.size} in block ${proof.block}: ${proof.steps} hashes prove it, and the proof is ${proof.right ? 'right' : 'wrong'}. Blue with a thick edge: its way to the root; orange: the proof.`),
    svg('svg', { viewBox: `0 0 ${width} ${30 * (depth + 1) + 10}`, style: `max-width:${width * 2.5}px`, role: 'img', 'aria-label': 'hash tree' },
      proof.nodes.filter(node => node.depth).map(node => { const up = parent(node); return up ? svg('line', { class: 'edge', x1: x(up), y1: y(up), x2: x(node), y2: y(node) }) : null; }),
      proof.nodes.map(node => [svg('rect', { class: 'leafbox' + (node.path ? ' onpath' : node.proof ? ' inproof' : ''), 'stroke-width': node.path ? 2.5 : 1, x: x(node) - 20, y: y(node) - 8, width: 40, height: 16 }),
        svg('text', { x: x(node), y: y(node) }, node.hash)])));
}
