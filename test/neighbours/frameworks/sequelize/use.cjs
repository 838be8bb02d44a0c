'use strict';
const { Sequelize, DataTypes, Op, literal } = require('sequelize');
const { check, plan } = require('./tap.cjs');

const ROWS = 20000;
const START = Date.UTC(2026, 0, 1);
const at = (second) => new Date(START + second * 1000);
const silent = { logging: false };

const db = new Sequelize(process.env.PGDATABASE, process.env.PGUSER, null, {
  dialect: 'postgres', host: process.env.PGHOST, port: process.env.PGPORT, logging: false,
});
const indexes = [
  { name: 'reading_taken_at', using: 'learned', fields: ['taken_at'] },
  { name: 'reading_ended_at', using: 'learned', fields: [{ name: 'ended_at', order: 'DESC NULLS LAST' }] },
  { name: 'reading_meter', using: 'learned', fields: [literal('((meter)::bigint)')] },
  { name: 'reading_device', using: 'learned', fields: ['device'], where: { archived: false } },
  { name: 'reading_serial', using: 'learned', unique: true, fields: ['serial'] },
];
const Reading = db.define('reading', {
  id: { type: DataTypes.BIGINT, primaryKey: true },
  device: DataTypes.INTEGER,
  taken_at: DataTypes.DATE,
  ended_at: DataTypes.DATE,
  meter: DataTypes.DECIMAL(18, 0),
  serial: DataTypes.BIGINT,
  archived: DataTypes.BOOLEAN,
}, { tableName: 'reading', timestamps: false, indexes });

const rows = async (sql) => (await db.query(sql, silent))[0];

// The statement that the ORM sends, its plan, and the ids that it brings.
async function by(index, options, expected, text) {
  let sent;
  const found = (await Reading.findAll({ ...options, logging: (line) => { sent = line; } })).map((row) => Number(row.id));
  const how = await plan(rows, sent.replace(/^Executing \(default\): /, ''));
  check(how.includes(index) && !how.includes('Seq Scan'), `${text}: the plan uses ${index}`, how);
  check(JSON.stringify(found) === JSON.stringify(expected), `${text}: the rows are right`, found);
}

const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

(async () => {
  await db.sync();
  await Reading.bulkCreate(numbers(0, ROWS).map((i) => ({
    id: i, device: i * 37 % 200, taken_at: at(i * 10 + i % 7), ended_at: i % 50 ? at(i * 10 + 9) : null,
    meter: 1e12 + i * 3, serial: i * 5, archived: i % 4 === 0,
  })));
  await db.query('ANALYZE reading');

  await by('reading_taken_at', { where: { taken_at: { [Op.gte]: at(1000), [Op.lt]: at(2000) } }, order: ['taken_at'] },
    numbers(100, 200), 'range in order');
  await by('reading_ended_at', { order: [['ended_at', 'DESC NULLS LAST']], limit: 5 },
    [1, 2, 3, 4, 5].map((i) => ROWS - i), 'DESC NULLS LAST');
  await by('reading_meter', { where: literal(`meter::bigint = ${1e12 + 3 * 777}`) }, [777], 'numeric by an expression');
  await by('reading_device', { where: { device: 185, archived: false }, order: ['id'] },
    numbers(0, ROWS).filter((i) => i * 37 % 200 === 185 && i % 4), 'partial index');

  // An upsert on the unique index.
  await Reading.upsert({ id: -1, serial: 500, device: -5 }, { conflictFields: ['serial'] });
  check((await Reading.findOne({ where: { serial: 500 } })).device === -5 && await Reading.count() === ROWS, 'upsert by the unique index');
  await Reading.create({ id: -2, serial: 500 }).then(
    () => check(false, 'a value twice is refused'),
    (error) => check(error.name === 'SequelizeUniqueConstraintError', 'a value twice is refused', error));

  const files = () => rows("SELECT relname, relfilenode FROM pg_class WHERE relname LIKE 'reading%' ORDER BY 1").then(JSON.stringify);
  const before = await files();
  await db.sync();
  check(before === await files(), 'sync leaves the indexes alone', await files());
  // It sets every column's type once more; the server then makes indexes with expressions or conditions anew, btrees too.
  await db.sync({ alter: true });

  await db.getQueryInterface().addIndex('reading', { name: 'reading_later', using: 'learned', concurrently: true, fields: ['serial'] });
  const shown = (await db.getQueryInterface().showIndex('reading')).map((index) => index.name);
  check(indexes.every((index) => shown.includes(index.name)) && shown.includes('reading_later'), 'showIndex gives them all', shown);
  // A change that keeps the name: sync does not see it.
  Reading._indexes.find((index) => index.name === 'reading_taken_at').using = 'btree';
  await db.sync({ alter: true });
  check((await rows("SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = 'reading_taken_at'"))[0].amname === 'learned',
    'sync with alter sees no other method under the same name');
  await db.close();
})().catch((error) => { console.log(error); process.exit(1); });
