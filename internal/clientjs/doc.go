// Package clientjs owns the official browser client: the pinned version, the
// eight files of its npm package that a Socket.IO server hands out below its
// path, and the choice where they come from.
//
// The files are not kept in the repository. The build copies them from the
// npm package that package-lock.json pins with its integrity hash into dist/
// and embeds that folder with the build tag clientjs. A binary built without
// the tag reads a folder or sends browsers to the CDN of the same version.
package clientjs
