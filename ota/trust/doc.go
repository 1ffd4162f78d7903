// Package trust is the box's side of The Update Framework: it believes nothing that is not signed, in the last resort,
// by the keys of the root that came with its image, and it survives whatever a server, a stick or a thief of some of
// the keys sends it. The workflow is go-tuf's; around it stand limits, what go-tuf leaves to us, and a cache that
// outlives power cuts.
package trust
