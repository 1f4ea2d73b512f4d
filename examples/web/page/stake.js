'use strict';
tabs.stake = {
  title: 'Stake', plays: true, defaults: { stakes: '10,20,30,40', greedy: '2,3,4', slash: 'off', seed: 1 }, kinds: ['block', 'evidence', 'slashed'],
  hint: 'Select a validator beside its bar to see the life of its stake. An honest one extends the longest branch, a greedy one extends every branch.',
  name: id => ['ann', 'ben', 'cat', 'dan', 'eve', 'fay', 'gus', 'hal'][id],
  commands: () => [
    presets([['Nothing at stake', {}], ['Stakes at risk', { slash: 'on' }], ['All honest', { greedy: '0' }], ['One large stake', { stakes: '900,50,30,20', greedy: '0' }]]),
    html('div', { class: 'row' }, setting('A double signer loses its stake', 'slash', ['off', 'on']),
      html('button', { type: 'button', 'data-do': 'fork', onclick: () => command('fork') }, 'Fork')),
    line('Change mind of', name => `greedy ${name}`, [['validator', 'ann']]),
    html('div', { class: 'row' }, html('button', { type: 'button', 'data-do': 'draw', onclick: () => { if (command('slots 10000')) play(false); } }, 'Draw 10,000 slots')),
  ],
  draw(view) {
    const stage = $('stage');
    if (!$('validators')) stage.append(html('h2', {}, 'Branches'), html('div', { id: 'tree' }), html('h2', {}, 'Who was drawn'), html('div', { id: 'validators' }));
    $('tree').replaceChildren(branches(view.blocks, view.longest, { mark: block => block.by ? ' ' + block.by[0] : '' }));
    const drawn = view.validators.reduce((sum, one) => sum + one.drawn, 0);
    const percent = part => (100 * part).toFixed(1) + ' %';
    const bar = (one, share) => svg('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', class: 'bar', role: 'img', 'aria-label': `${one.name}: drawn ${percent(share)}, stake ${percent(one.share)}` },
      svg('rect', { class: 'cell on', x: 0, y: 1, width: 100 * share, height: 6 }), svg('line', { class: 'expected', x1: 100 * one.share, x2: 100 * one.share, y1: 0, y2: 8 }));
    redraw($('validators'), [table(['validator', 'stake', 'share', 'drawn', 'of all', 'in turn', 'blocks', 'signs'],
      view.validators.map(one => [one.name + (one.slashed === null ? '' : ' ✕'), one.stake, percent(one.share), one.drawn, percent(drawn ? one.drawn / drawn : 0), one.turns, one.blocks,
        one.slashed === null ? (one.greedy ? 'every branch' : 'the longest') : `lost its stake in slot ${one.slashed}`])),
    html('p', {}, 'The bar is the share of the slots that were drawn, the mark the share of the stake.'),
    ...view.validators.map((one, id) => html('div', { class: 'row drawn' }, html('button', { type: 'button', 'data-node': id, 'aria-pressed': state.selected === id, onclick: () => choose(id) }, one.name), bar(one, drawn ? one.drawn / drawn : 0)))]);
  },
  summary(view) {
    const cut = view.validators.filter(one => one.slashed !== null).map(one => one.name);
    return `Slot ${view.slot}: ${view.living} living ${view.living === 1 ? 'branch' : 'branches'}, the longest of height ${view.high}` + (view.living > 1 ? `, the next of height ${view.second}` : '') + '. ' +
      (cut.length ? `${cut.join(', ')} signed twice and lost the stake.` : view.slash ? 'A validator that signs two blocks of one slot loses its stake.' : 'Whoever signs two blocks of one slot loses nothing.');
  },
  details: one => [html('h3', {}, one.name), html('p', {}, `bonded: ${one.bonded} coins; drawn ${one.drawn} times; ${one.blocks} blocks`),
    html('h3', {}, 'States of a stake'), table(['state', 'until', 'next'], one.transitions)],
};
