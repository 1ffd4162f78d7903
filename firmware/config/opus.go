package config

// OpusLimit bounds how many legs speak Opus at a time.
type OpusLimit int

// opusByCores is the default: as many as the cores of the board carry.
const opusByCores OpusLimit = -1

// mostOpus bounds what anybody may want: a leg of Opus costs what seven calls of G.711 do.
const mostOpus = 64

// IsZero has the file say nothing of it by default: see Encode.
func (l OpusLimit) IsZero() bool { return l == opusByCores }
