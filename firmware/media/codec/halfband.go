package codec

// halfbandPast and mirrorPast are how many earlier samples the filters look at.
const (
	halfbandPast = 23
	mirrorPast   = 11
)

// Windows of samples, oldest first.
type (
	halfbandWindow = [halfbandPast + 1]int32
	mirrorWindow   = [mirrorPast + 1]int32
)

// between is the value half-way between the two middle samples of the window: one phase of a 2:1
// half-band filter, a sinc under a Kaiser window (beta 5), its taps scaled by 1<<14. Flat to 3,400 Hz,
// -54 dB from 4,600 Hz on. The other phase is a single tap of one half, which costs nothing. The sum of
// any 16-bit window stays below 2^31.
func between(w *halfbandWindow) int32 {
	sum := 10399*(w[11]+w[12]) - 3360*(w[10]+w[13]) + 1893*(w[9]+w[14]) - 1229*(w[8]+w[15]) +
		839*(w[7]+w[16]) - 580*(w[6]+w[17]) + 397*(w[5]+w[18]) - 266*(w[4]+w[19]) +
		171*(w[3]+w[20]) - 103*(w[2]+w[21]) + 57*(w[1]+w[22]) - 26*(w[0]+w[23])
	return saturate((sum + 1<<13) >> 14)
}

// rising weighs a window with one half of the mirror filter of G.722 (table 11), falling with the
// other, which is its reverse.
func rising(w *mirrorWindow) int32 {
	return 3*w[0] - 11*w[1] + 12*w[2] + 32*w[3] - 210*w[4] + 951*w[5] +
		3876*w[6] - 805*w[7] + 362*w[8] - 156*w[9] + 53*w[10] - 11*w[11]
}

func falling(w *mirrorWindow) int32 {
	return 3*w[11] - 11*w[10] + 12*w[9] + 32*w[8] - 210*w[7] + 951*w[6] +
		3876*w[5] - 805*w[4] + 362*w[3] - 156*w[2] + 53*w[1] - 11*w[0]
}
