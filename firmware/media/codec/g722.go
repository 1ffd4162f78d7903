package codec

// G.722 at 64 kbit/s (mode 1), after the blocks and the names of ITU-T G.722 (09/2012) section 6.
//
// The codec splits 16,000 Hz audio into two bands of 8,000 Hz each with a pair of quadrature mirror
// filters and codes the lower band with 6 bits and the upper with 2. The linear audio of the house is
// 8,000 Hz, so Encode interpolates and Decode decimates with a half-band filter. Coding 8,000 Hz
// audio as the lower band itself would cost half, but the mirror filters are so gentle (-17 dB at
// 4,900 Hz) that a wideband phone would hear 3,100 Hz again at 4,900.
//
// Filters work on blocks, in windows of one array without a ring. The band coders avoid every branch
// that speech decides, because a processor guesses those wrong half the time, and divide by tables.

// block is how many samples of a band are worked on at once.
const block = 80

// clip15 is the range of a band's signal: the recommendation limits it to 15 bits.
func clip15(v int32) int32 {
	return max(-16384, min(16383, v))
}

// G722Encoder codes one direction of one call. Use either Encode or Encode16 on one encoder.
type G722Encoder struct {
	low, high band
	early     [mirrorPast]int32   // 16,000 Hz input of before, even samples
	late      [mirrorPast]int32   // ... and odd ones
	narrow    [halfbandPast]int32 // 8,000 Hz input of before
}

// NewG722Encoder makes an encoder in the reset state of the recommendation.
func NewG722Encoder() *G722Encoder { return new(G722Encoder) }

// Encode codes 8,000 Hz audio, one byte per sample.
func (e *G722Encoder) Encode(dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm))
	for at := 0; at < n; at += block {
		e.encode8(dst[at:min(at+block, n)], pcm[at:n])
	}
	return n
}

// encode8 codes at most a block.
func (e *G722Encoder) encode8(dst []byte, pcm []int16) {
	var x [halfbandPast + block]int32
	var late [mirrorPast + block]int32
	n := min(len(dst), block)
	copy(x[:], e.narrow[:])
	copy(late[:], e.late[:])
	for i, s := range pcm[:n] {
		x[halfbandPast+i] = int32(s)
	}
	for i := range n {
		late[mirrorPast+i] = between((*halfbandWindow)(x[i:]))
	}
	// The other phase of the interpolator is its input, delayed to the middle of the filter.
	e.code(dst, x[:mirrorPast+n], late[:mirrorPast+n])
	copy(e.narrow[:], x[n:])
	copy(e.late[:], late[n:])
}

// Encode16 codes 16,000 Hz audio, one byte per two samples, and returns the bytes written.
func (e *G722Encoder) Encode16(dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm)/2)
	for at := 0; at < n; at += block {
		e.encode16(dst[at:min(at+block, n)], pcm[2*at:2*n])
	}
	return n
}

func (e *G722Encoder) encode16(dst []byte, pcm []int16) {
	var early, late [mirrorPast + block]int32
	n := min(len(dst), block)
	copy(early[:], e.early[:])
	copy(late[:], e.late[:])
	for i := range n {
		early[mirrorPast+i], late[mirrorPast+i] = int32(pcm[2*i]), int32(pcm[2*i+1])
	}
	e.code(dst, early[:mirrorPast+n], late[:mirrorPast+n])
	copy(e.early[:], early[n:])
	copy(e.late[:], late[n:])
}

// code is TXQMF and both band coders; the two phases of the input begin with what was before.
func (e *G722Encoder) code(dst []byte, early, late []int32) {
	for i := range dst {
		odd := rising((*mirrorWindow)(early[i:]))
		even := falling((*mirrorWindow)(late[i:]))
		dst[i] = e.high.encodeHigh(clip15((even-odd)>>14))<<6 | e.low.encodeLow(clip15((even+odd)>>14))
	}
}

// follow takes payloads that another encoder has made: both band coders adapt by nothing else.
func (e *G722Encoder) follow(heard []byte) {
	for _, b := range heard {
		e.low.decodeLow(b)
		e.high.decodeHigh(b >> 6)
	}
}

// G722Decoder decodes one direction of one call. Use either Decode or Decode16 on one decoder.
type G722Decoder struct {
	low, high  band
	sum        [mirrorPast]int32 // of the two bands, of before
	difference [mirrorPast]int32
	early      [halfbandPast]int32 // 16,000 Hz output of before, even samples
	late       [halfbandPast]int32 // ... and odd ones
}

// NewG722Decoder makes a decoder in the reset state of the recommendation.
func NewG722Decoder() *G722Decoder { return new(G722Decoder) }

// Decode gives 8,000 Hz audio, one sample per byte.
func (d *G722Decoder) Decode(dst []int16, payload []byte) int {
	n := min(len(dst), len(payload))
	for at := 0; at < n; at += block {
		d.decode8(dst[at:n], payload[at:min(at+block, n)])
	}
	return n
}

// decode8 decodes at most a block.
func (d *G722Decoder) decode8(dst []int16, payload []byte) {
	var early, late [halfbandPast + block]int32
	n := min(len(payload), block)
	copy(early[:], d.early[:])
	copy(late[:], d.late[:])
	d.decode(early[halfbandPast:], late[halfbandPast:], payload[:n])
	for i := range dst[:n] {
		dst[i] = int16((early[i+halfbandPast/2+1] + between((*halfbandWindow)(late[i:])) + 1) >> 1)
	}
	copy(d.early[:], early[n:])
	copy(d.late[:], late[n:])
}

// Decode16 gives 16,000 Hz audio, two samples per byte, and returns the samples written.
func (d *G722Decoder) Decode16(dst []int16, payload []byte) int {
	var early, late [block]int32
	n := min(len(dst)/2, len(payload))
	for at := 0; at < n; at += block {
		part := payload[at:min(at+block, n)]
		d.decode(early[:], late[:], part)
		for i := range part {
			dst[2*(at+i)], dst[2*(at+i)+1] = int16(early[i]), int16(late[i])
		}
	}
	return 2 * n
}

// decode is both band decoders and RXQMF for at most a block.
func (d *G722Decoder) decode(early, late []int32, payload []byte) {
	var sum, difference [mirrorPast + block]int32
	n := min(len(payload), block)
	copy(sum[:], d.sum[:])
	copy(difference[:], d.difference[:])
	early, late = early[:n], late[:n]
	for i, b := range payload[:n] {
		low, high := d.low.decodeLow(b), d.high.decodeHigh(b>>6)
		sum[mirrorPast+i], difference[mirrorPast+i] = low+high, low-high
	}
	for i := range early {
		late[i] = saturate(rising((*mirrorWindow)(sum[i:])) >> 11)
		early[i] = saturate(falling((*mirrorWindow)(difference[i:])) >> 11)
	}
	copy(d.sum[:], sum[n:])
	copy(d.difference[:], difference[n:])
}
