module.exports = {
  dialect: 'postgresql',
  schema: './schema.js',
  out: process.env.OUT || './drizzle',
  dbCredentials: {
    host: process.env.PGHOST, port: Number(process.env.PGPORT), user: process.env.PGUSER, database: process.env.PGDATABASE, ssl: false,
  },
};
