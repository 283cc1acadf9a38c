import assert from 'node:assert/strict'
import test from 'node:test'

import { compare, fails, table } from './compare.mjs'

test('what grew beyond the tolerance fails, and so does what the baseline does not cover', () => {
  const cases = [
    [{ hit: 1000 }, { hit: 1000 }, '', false],
    [{ hit: 1000 }, { hit: 1050 }, '', false],
    [{ hit: 1000 }, { hit: 1051 }, 'grew', true],
    [{ hit: 1000 }, { hit: 950 }, '', false],
    [{ hit: 1000 }, { hit: 949 }, 'fell', false],
    [{}, { hit: 1000 }, 'not in the baseline', true],
    [{ hit: 1000 }, {}, 'not counted any more', true],
  ]
  for (const [baseline, counts, verdict, failing] of cases) {
    const rows = compare(baseline, counts)
    assert.deepEqual([rows[0].verdict, fails(rows)], [verdict, failing], JSON.stringify([baseline, counts]))
  }
})

test('the table tells what changed and by how much', () => {
  const rows = compare({ key: 100, 'look-up': 2000 }, { key: 100, 'look-up': 2500, route: 7 })
  assert.equal(table(rows), [
    'case     baseline    now   change',
    'key           100    100   +0.0 %',
    'look-up     2,000  2,500  +25.0 %  grew',
    'route           -      7        -  not in the baseline',
  ].join('\n'))
})
