// Named modules: the built files are the same, byte for byte, in whatever folder they are built.
module.exports = { context: __dirname, optimization: { moduleIds: 'named' } };
