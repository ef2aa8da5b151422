//go:build !race && !recycling_nopark

package park

func beforeWrite()  {}
func afterRead(int) {}
