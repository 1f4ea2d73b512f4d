// Opens the page from disk in headless Chromium and uses it as a person does.
// node test.mjs PAGE SCREENSHOTS TRACES: the traces are those of a native run, to be compared.
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import assert from 'node:assert/strict';

const [page_file, pictures, traces] = process.argv.slice(2);
const { chromium } = createRequire(process.cwd() + '/')('playwright-core');
mkdirSync(pictures, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
const complaints = [];
const url = pathToFileURL(page_file).href;

async function page(hash = '', options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()); });
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('request', request => { if (!request.url().startsWith(url) && !request.url().startsWith('data:')) complaints.push('request to ' + request.url()); });
  await page.goto(url + hash);
  await page.waitForFunction(() => window.lesson);
  return page;
}
const summary = page => page.textContent('#summary');
const said = page => page.textContent('#said');
const setup = (page, hash) => page.evaluate(hash => { location.hash = hash; }, hash).then(() => page.waitForFunction(hash => lesson.state.tab === hash.slice(1).split('?')[0], hash));
// Puts values into the fields of a command and presses its button.
async function command(page, label, ...values) {
  const row = page.locator('#commands .row').filter({ has: page.locator(`[data-do="${label.toLowerCase()}"]`) });
  for (const [at, value] of values.entries()) await row.locator('input').nth(at).fill(String(value));
  await row.locator(`[data-do="${label.toLowerCase()}"]`).click();
}
// Runs without waiting for the picture.
const until = (page, seconds) => page.evaluate(seconds => { document.getElementById('play').textContent === 'Pause' && document.getElementById('play').click(); request('to ' + seconds); saveLink(); }, seconds);
const now = page => page.evaluate(() => lesson.state.now);

const tests = {
  async 'every tab opens by a click and by its key, without a word on the console'() {
    const p = await page();
    const names = ['flood', 'ring', 'swarm', 'chain', 'stake'];
    for (const [at, name] of names.entries()) {
      await p.click('#tab-' + name);
      assert.equal(await p.getAttribute('#tab-' + name, 'aria-selected'), 'true');
      assert.ok((await summary(p)).length > 40);
      await p.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
      await p.evaluate(() => document.activeElement.blur());
      await p.keyboard.press(String(5 - at));
      assert.equal(await p.getAttribute('#tab-' + names[4 - at], 'aria-selected'), 'true');
    }
    return p;
  },
  async 'task 1: a key is found and its hops are counted'() {
    const p = await page('#ring');
    await command(p, 'Look up', 26, 1);
    await until(p, 4);
    assert.match(await summary(p), /path 1 → 18 → 20 → 21, owner 28, 3 forwardings/);
    await p.screenshot({ path: `${pictures}/ring-lookup.png`, fullPage: true });
    return p;
  },
  async 'task 2: a killed successor is replaced'() {
    const p = await page('#ring');
    await p.click('[data-preset="Ten nodes, three successors"]');
    await p.click('[data-node="8"]');
    assert.match(await p.textContent('#details'), /successors 14, 21, 32/);
    await command(p, 'Kill', 14);
    assert.match(await summary(p), /9 living nodes; some node does not know/);
    await until(p, 60);
    assert.match(await p.textContent('#details'), /successors 21, 32, 38/);
    assert.match(await summary(p), /every living node knows its next/);
    return p;
  },
  async 'task 3: a newcomer gets its keys'() {
    const p = await page('#ring');
    await p.click('[data-preset="Ten nodes, three successors"]');
    await command(p, 'Join', 26, 1);
    await until(p, 60);
    await p.click('[data-node="26"]');
    assert.match(await p.textContent('#details'), /owns \(21, 26\]/);
    return p;
  },
  async 'task 4: a ring that was cut merges again'() {
    const p = await page('#ring');
    await p.click('[data-preset="Ten nodes, three successors"]');
    await command(p, 'Cut off', '1,8,21,32,38');
    await until(p, 120);
    assert.match(await summary(p), /every living node knows its next living node; the network is cut/);
    await p.screenshot({ path: `${pictures}/ring-cut.png`, fullPage: true });
    await command(p, 'Heal');
    await until(p, 700);
    assert.match(await summary(p), /every living node knows its next living node; rings have merged/);
    return p;
  },
  async 'task 5: wrong fingers change hops and not the owner'() {
    const p = await page('#ring');
    await command(p, 'Garbage');
    await command(p, 'Look up', 12, 28);
    await until(p, 10);
    assert.match(await summary(p), /owner 14/);
    return p;
  },
  async 'task 6: the flood fits into 100 messages'() {
    const p = await page('#flood');
    const messages = async () => Number((await p.textContent('#count0')).match(/^(\d+) messages/)[1]);
    await command(p, 'Search', 3, 'debaser');
    await until(p, 60);
    assert.ok(await messages() > 60);
    await p.screenshot({ path: `${pictures}/flood-search.png`, fullPage: true });
    await p.selectOption('[data-setting=degree]', '3');
    await command(p, 'Search', 3, 'debaser');
    await until(p, 60);
    assert.ok(await messages() <= 100, String(await messages()));
    assert.match(await p.textContent('#count0'), /3 hits found/);
    assert.match(await p.textContent('#count2'), /1 queries/);
    return p;
  },
  async 'task 7: the index dies and the others go on'() {
    const p = await page('#flood');
    await p.click('[data-do="kill index"]');
    await command(p, 'Search', 3, 'hey jude');
    await until(p, 60);
    assert.match(await p.textContent('#count2'), / 0 hits found/);
    assert.doesNotMatch(await p.textContent('#count0'), / 0 hits found/);
    return p;
  },
  async 'task 8: the liar is found'() {
    const p = await page('#swarm');
    await p.click('[data-preset="A liar among them"]');
    await until(p, 120);
    assert.match(await summary(p), /All living peers were complete/);
    assert.match(await summary(p), /banned: peer 2\./);
    await p.screenshot({ path: `${pictures}/swarm-liar.png`, fullPage: true });
    return p;
  },
  async 'task 9: the swarm outlives its seed'() {
    const p = await page('#swarm');
    for (let second = 1; ; second += 1) {
      await until(p, second);
      if (Number((await summary(p)).match(/has (\d+) copies/)[1]) >= 2) break;
      assert.ok(second < 100);
    }
    await p.screenshot({ path: `${pictures}/swarm-half.png`, fullPage: true });
    await p.click('[data-node="0"]');
    await p.keyboard.press('k');
    assert.match(await said(p), /node 0 is gone/);
    await until(p, 200);
    assert.match(await summary(p), /All living peers were complete/);
    return p;
  },
  async 'task 10: a block is changed and the chain repaired'() {
    const p = await page('#chain');
    await p.fill('[data-block="2"][name=data]', 'ten coins to ben');
    assert.match(await summary(p), /Blocks 2, 3, 4, 5 are invalid/);
    await p.screenshot({ path: `${pictures}/chain-broken.png`, fullPage: true });
    for (const block of [2, 3, 4, 5]) await p.click(`[data-mine="${block}"]`);
    assert.match(await summary(p), /All five blocks are valid/);
    await p.fill('[data-block="2"][name=data]', '');
    for (const block of [2, 3, 4, 5]) await p.click(`[data-mine="${block}"]`);
    assert.match(await p.textContent('#b5 .hash'), /0000e4b9052fd8aae92a8afda42e2ea0f17972ea67cead67352e74dd6f7d217c/);
    return p;
  },
  async 'task 11: coins are not spent twice, and a heavier branch wins'() {
    const p = await page('#chain');
    await command(p, 'Forge a payment', 'ann', 'ben', 10);
    assert.match(await said(p), /^refused/);
    await command(p, 'Pay', 'ann', 'ben', 60);
    await command(p, 'Pay again with the same coins', 'ann', 'cat', 60);
    await command(p, 'Mine a block');
    assert.match(await said(p), /refused.*sequence/);
    await command(p, 'Mine a block');
    for (let nth = 0; nth < 5; nth += 1) await command(p, 'Pay', 'ann', 'dan', 1);
    await command(p, 'Mine a block');
    await command(p, 'Prove', 2, 3);
    assert.match(await p.textContent('#proof'), /3 hashes prove it, and the proof is right/);
    await command(p, 'Mine a block', 0);
    await command(p, 'Mine a block', 3);
    await command(p, 'Mine a block', 4);
    assert.match(await said(p), /reorganisation took 2 blocks back and connected 3/);
    await p.screenshot({ path: `${pictures}/chain-fork.png`, fullPage: true });
    return p;
  },
  async 'task 12: a flood without loop prevention costs what the lecture counts'() {
    const p = await page('#flood');
    await p.click('[data-preset="Without loop prevention"]');
    await command(p, 'Search', 3, 'debaser');
    await until(p, 1.1);
    await p.screenshot({ path: `${pictures}/flood-loops.png`, fullPage: true });
    await until(p, 60);
    assert.match(await p.textContent('#count0'), /425 queries/);
    assert.match(await p.textContent('#count0'), /0 duplicates dropped; \d+ passed on again/);
    await p.selectOption('[data-setting=loops]', 'drop');
    await command(p, 'Search', 3, 'debaser');
    await until(p, 60);
    assert.match(await p.textContent('#count0'), /97 queries/);
    await command(p, 'Cut a link', 0, 1);
    await command(p, 'Search', 3, 'debaser');
    await until(p, 120);
    assert.match(await p.textContent('#count0'), /95 queries/);
    return p;
  },
  async 'task 13: a join takes five steps, and a broken link is gone round'() {
    const p = await page('#ring');
    await p.click('[data-preset="Ten nodes, three successors"]');
    await command(p, 'Join', 26, 48);
    assert.equal(await p.$$eval('#joins .done', items => items.length), 1);
    await until(p, 60);
    const steps = await p.$$eval('#joins .done', items => items.map(item => item.textContent));
    assert.equal(steps.length, 5, steps.join('; '));
    assert.match(steps[3], /21 stabilizes and takes 26 as its successor/);
    await command(p, 'Cut a link', 21, 26);
    await until(p, 120);
    assert.match(await summary(p), /1 links are broken/);
    await p.screenshot({ path: `${pictures}/ring-join.png`, fullPage: true });
    await command(p, 'Heal');
    await until(p, 300);
    assert.match(await summary(p), /every living node knows its next living node/);
    return p;
  },
  async 'task 14: the orders are compared, and a free rider earns no slot'() {
    const p = await page('#swarm');
    await p.click('[data-do="compare"]');
    const rows = await p.$$eval('#comparison tbody tr', rows => rows.map(row => [...row.children].map(cell => cell.textContent)));
    assert.deepEqual(rows.map(row => row[0]), ['rarest', 'random', 'sequential', 'server alone']);
    const seconds = rows.map(row => row.slice(1).map(parseFloat));
    assert.ok(seconds[0][0] < seconds[2][0], 'rarest first outlives its seed earlier than in sequence');
    assert.ok(seconds[0][1] < seconds[3][1], 'and is faster than the server');
    await p.click('[data-preset="A free rider"]');
    let gifts = 0; // a slot that was not earned lasts for three rounds at the most
    for (const seconds of [10, 15, 20, 25, 30]) {
      await until(p, seconds);
      gifts += await p.$$eval('#slots .gift', lines => lines.length);
    }
    assert.ok(gifts > 0);
    await p.screenshot({ path: `${pictures}/swarm-rider.png`, fullPage: true });
    return p;
  },
  async 'task 15: with nothing at stake a fork lives, with a stake one chain remains'() {
    const p = await page('#stake');
    await until(p, 3);
    await command(p, 'Fork');
    await until(p, 60);
    assert.match(await summary(p), /2 living branches/);
    await p.screenshot({ path: `${pictures}/stake-nothing.png`, fullPage: true });
    await p.click('[data-preset="Stakes at risk"]');
    await until(p, 3);
    await command(p, 'Fork');
    await until(p, 60);
    assert.match(await summary(p), /1 living branch,.* signed twice and lost the stake/);
    await p.click('[data-preset="All honest"]');
    await p.click('[data-do="draw"]');
    const drawn = await p.$$eval('#validators tbody tr', rows => rows.map(row => Number(row.children[3].textContent)));
    for (const [at, count] of drawn.entries()) assert.ok(Math.abs(count - 1000 * (at + 1)) < 250, drawn.join(' '));
    await p.screenshot({ path: `${pictures}/stake-drawn.png`, fullPage: true });
    return p;
  },
  async 'a step back undoes a step, and a link restores the state'() {
    const p = await page('#ring?m=5&nodes=1,4,8,11,14,17');
    await command(p, 'Look up', 3, 8);
    await until(p, 1.5);
    const before = await p.evaluate(() => [lesson.trace(), lesson.state.now]);
    await p.click('#step');
    assert.notDeepEqual(await p.evaluate(() => [lesson.trace(), lesson.state.now]), before);
    await p.click('#back');
    assert.ok(await now(p) <= before[1]);
    await until(p, 4);
    await p.click('[data-node="8"]');
    const [hash, text, details] = [await p.evaluate(() => location.hash), await summary(p), await p.textContent('#details')];
    assert.match(text, /path 8 → 1, owner 4/);
    assert.match(details, /5241/);
    const again = await page(hash);
    assert.equal(await summary(again), text);
    assert.equal(await again.textContent('#details'), details);
    assert.equal(await now(again), await now(p));
    return again;
  },
  async 'the log filters by kind and by text'() {
    const p = await page('#ring');
    await command(p, 'Look up', 26, 1);
    await until(p, 20);
    const kinds = () => p.$$eval('#log li', items => [...new Set(items.map(item => item.dataset.kind))]);
    assert.ok((await kinds()).includes('stabilize'));
    await p.uncheck('[data-kind=stabilize]');
    assert.ok(!(await kinds()).includes('stabilize'));
    await p.fill('#words', 'find');
    const lines = await p.$$eval('#log li', items => items.map(item => item.textContent));
    assert.ok(lines.length > 0 && lines.every(line => /find/i.test(line)), lines.join('\n'));
    return p;
  },
  async 'a dead node and a wrong command are answered with a sentence'() {
    const p = await page('#ring');
    await command(p, 'Kill', 99);
    assert.match(await said(p), /there is no living node 99/);
    assert.match(await p.getAttribute('#said', 'class'), /error/);
    return p;
  },
  async 'nodes are reached and chosen by the keyboard, and messages are drawn under way'() {
    const p = await page('#ring');
    await p.focus('[data-node="18"]');
    await p.keyboard.press('Enter');
    assert.match(await p.textContent('#details'), /Node 18/);
    assert.equal(await p.evaluate(() => document.activeElement.dataset.node), '18', 'the focus stays');
    await command(p, 'Look up', 26, 1);
    await until(p, 0.1);
    const drawn = () => p.$$eval('#stage .flight', paths => paths.map(path => path.getAttribute('d')).join(''));
    const first = await drawn();
    assert.ok(first.length > 20);
    await p.evaluate(() => { lesson.state.now += 0.05; drawFlights(); });
    assert.notEqual(await drawn(), first, 'they move');
    const labels = await p.$$eval('[data-node]', nodes => nodes.map(node => node.getAttribute('aria-label')));
    assert.ok(labels.every(label => label && label.length > 8));
    return p;
  },
  async 'every tab has a table of states, and the row of the clicked node is lit'() {
    const lit = async (p, node) => { await p.click(`#stage [data-node="${node}"]`); return p.$$eval('#details tr.here', rows => rows.map(row => row.textContent)); };
    const shown = {};
    for (const [tab, node, commands, seconds] of [['ring', 18, [], 0], ['flood', 5, [], 0], ['swarm', 1, [], 12], ['chain', 1, [['Mine a block']], 0], ['stake', 1, [], 2]]) {
      const p = await page('#' + tab);
      for (const words of commands) await command(p, ...words);
      if (seconds) await until(p, seconds);
      const rows = await p.$$eval('#details tr.here', rows => rows.length);
      assert.equal(rows, 0, `${tab}: nothing is lit before a click`);
      shown[tab] = await lit(p, node);
      assert.ok(shown[tab].length > 0, tab);
      assert.ok((await p.$$eval('#details tbody tr:not(.here)', rows => rows.length)) > 0, `${tab}: the other states stand there too`);
      await p.screenshot({ path: `${pictures}/${tab}-states.png`, fullPage: true });
      await p.context().close();
    }
    assert.match(shown.ring.join(), /Idle|Stabilizing|Rectifying/);
    assert.match(shown.flood.join(), /AwaitingReply.*Open/);
    assert.match(shown.swarm.join(), /interested/);
    assert.match(shown.chain.join(), /^Connected/);
    assert.match(shown.stake.join(), /^Active/);
    {
      const p = await page('#flood');
      assert.deepEqual(await lit(p, 2003), ['clientLoggedInit searches', 'indexLoggedIna search, or silence']);
      assert.deepEqual(await lit(p, 3000), ['LoggedIna search, or silence24']);
      await p.screenshot({ path: `${pictures}/flood-index-states.png`, fullPage: true });
      await p.click('[data-do="kill index"]');
      await command(p, 'Search', 3, 'debaser');
      await until(p, 5);
      assert.match((await lit(p, 2003)).join(), /^clientListing[^,]*, or none for 10 s$/);
      assert.deepEqual(await lit(p, 3000), [], 'a dead index has no state');
      await p.screenshot({ path: `${pictures}/flood-client-states.png`, fullPage: true });
      await p.context().close();
    }
    const p = await page('#stake?slash=on');
    await until(p, 3);
    await command(p, 'Fork');
    await until(p, 60);
    const lives = [];
    for (const id of [0, 1, 2, 3]) lives.push((await lit(p, id)).join());
    assert.ok(lives.some(text => text.startsWith('Unbonding')) && lives.some(text => text.startsWith('Active')), lives.join(' | '));
    return p;
  },
  async 'the optimistic slot is drawn, and it changes'() {
    const p = await page('#swarm');
    const holders = [];
    for (let second = 11; second < 80; second += 10) {
      await until(p, second);
      const slots = await p.$$eval('#slots .optimistic', lines => lines.map(line => line.dataset.slot));
      assert.equal(new Set(slots.map(slot => slot.split('-')[0])).size, slots.length, 'one for each node');
      holders.push(...slots);
      if (second === 21) await p.screenshot({ path: `${pictures}/swarm-optimistic.png`, fullPage: true });
    }
    assert.ok(new Set(holders).size > 4, holders.join(' '));
    await p.click('#stage [data-node="0"]');
    assert.match(await p.textContent('#details'), /optimistic unchoke: (peer \d+|nobody)/);
    return p;
  },
  async 'a link restores each tab as it was'() {
    const scenes = { flood: ['search 3 debaser', 3, 5], ring: ['kill 14', 8, 18], swarm: ['kill 3', 12, 1], chain: ['block', 0, 1], stake: ['fork', 9, 2] };
    for (const [tab, [text, seconds, node]] of Object.entries(scenes)) {
      const p = await page('#' + tab);
      await p.evaluate(text => { command(text); play(false); }, text);
      if (seconds) await until(p, seconds);
      await p.click(`#stage [data-node="${node}"]`);
      const read = page => page.evaluate(() => [lesson.trace(), document.getElementById('summary').textContent, document.getElementById('details').textContent, lesson.state.now]);
      const hash = await p.evaluate(() => location.hash);
      const again = await page(hash);
      assert.deepEqual(await read(again), await read(p), tab);
      await p.context().close();
      await again.context().close();
    }
  },
  async 'the keyboard plays, steps and kills'() {
    const p = await page('#ring');
    await p.evaluate(() => document.activeElement.blur());
    await p.keyboard.press(' ');
    assert.equal(await p.textContent('#play'), 'Pause');
    await p.keyboard.press(' ');
    assert.equal(await p.textContent('#play'), 'Play');
    const before = await now(p);
    await p.keyboard.press('ArrowRight');
    const after = await now(p);
    assert.ok(after > before);
    await p.keyboard.press('ArrowLeft');
    assert.ok(await now(p) < after);
    await p.focus('[data-node="14"]');
    await p.keyboard.press('Enter');
    await p.keyboard.press('k');
    assert.match(await summary(p), /8 living nodes/);
    return p;
  },
  async 'a file from peers takes less time than from a server with the same uplink, and television keeps its deadlines'() {
    const p = await page('#swarm');
    await until(p, 90);
    const [, swarm, server] = (await summary(p)).match(/complete after ([\d.]+) s\. A server with the seed's uplink alone needs ([\d.]+) s/);
    assert.ok(Number(swarm) < Number(server), `${swarm} against ${server}`);
    await p.click('[data-preset="From the server alone"]');
    await until(p, 200);
    const [, alone] = (await summary(p)).match(/complete after ([\d.]+) s/);
    assert.ok(Number(alone) >= Number(server), `${alone}, and at least ${server}`);
    console.log(`  all have the file after ${swarm} s; from the server alone after ${alone} s`);
    const late = async preset => { await p.click(`[data-preset="${preset}"]`); await until(p, 90);
      const [, shown, late] = (await summary(p)).match(/(\d+) pieces were shown to viewers, (\d+) of them late/); return late / shown; };
    const forwarding = await late('Live television'), selfish = await late('Viewers that send little');
    assert.ok(forwarding < 0.1 && selfish > 0.3, `${forwarding} and ${selfish}`);
    await p.screenshot({ path: `${pictures}/swarm-tv.png`, fullPage: true });
    return p;
  },
  async 'narrow, wide and dark: nothing is cut off'() {
    for (const [width, height, scheme] of [[400, 800, 'light'], [1280, 900, 'dark'], [3840, 2160, 'light']]) {
      for (const tab of ['flood', 'ring', 'swarm', 'chain', 'stake']) {
        const p = await page('#' + tab, { viewport: { width, height }, colorScheme: scheme });
        const over = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${tab} at ${width} px: ${over} px too wide`);
        await p.screenshot({ path: `${pictures}/${tab}-${width}.png`, fullPage: true });
        await p.context().close();
      }
    }
  },
  async 'the trace is that of a native run'() {
    const p = await page();
    let lines = 0;
    for (const { world, options, commands, seconds, trace } of JSON.parse(readFileSync(traces))) {
      const here = await p.evaluate(({ world, options, commands, seconds }) => {
        const check = text => { const answer = call(text); if (answer.error) throw new Error(text + ': ' + answer.error); return answer; };
        check(`open ${world} ${options}`);
        for (const [at, text] of commands) { check('to ' + at); check('do ' + text); }
        check('to ' + seconds);
        return check('trace').trace;
      }, { world, options, commands, seconds });
      assert.equal(here, trace, world);
      lines += trace.split('\n').length - 1;
    }
    console.log(`  ${lines} lines of trace are the same natively and in the browser`);
    return p;
  },
  async 'a flood of 200 nodes is fluent'() {
    const p = await page('#flood?nodes=200&degree=4&ttl=9');
    const began = await p.evaluate(() => lesson.startMs);
    // Where the time goes: `call` is the crates and their JSON, `draw` the picture and `addLines` the log; the rest is layout and paint.
    await p.evaluate(() => {
      window.spent = { call: 0, draw: 0, addLines: 0, calls: 0 };
      for (const name of ['call', 'draw', 'addLines']) {
        const inner = window[name];
        window[name] = (...args) => { const from = performance.now(); try { return inner(...args); } finally { spent[name] += performance.now() - from; spent.calls += name === 'call'; } };
      }
    });
    await command(p, 'Search', 3, 'debaser');
    await p.waitForTimeout(4000);
    const { frames, seconds, spent } = await p.evaluate(() => ({ ...lesson.rate(), spent: window.spent }));
    console.log(`  the page starts in ${began.toFixed(0)} ms; a flood of 200 nodes is drawn ${(frames / seconds).toFixed(0)} times a second`);
    const each = name => (spent[name] / spent.calls).toFixed(1) + ' ms';
    console.log(`  of ${(1000 * seconds / frames).toFixed(0)} ms for a frame: the crates ${each('call')}, drawing ${each('draw')}, the log ${each('addLines')}`);
    assert.ok(frames > 20, `${frames} frames in ${seconds} s`);
    return p;
  },
};

let failed = 0;
const only = process.env.ONLY;
for (const [name, test] of Object.entries(tests)) {
  if (only && !name.includes(only)) continue;
  complaints.length = 0;
  try {
    const page = await test();
    if (page) await page.context().close();
    assert.deepEqual(complaints, []);
    console.log(`ok: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${name}\n${error.stack || error}`);
  }
}
await browser.close();
console.log(failed ? `${failed} failed` : 'all passed');
process.exit(failed ? 1 : 0);
