// Command first-block tells which block Calico's IPAM gives a node first.
//
// Calico draws the block from the pool with Go's own generator, seeded with a hash
// of the node's name (libcalico-go, lib/ipam, randomBlockGenerator), so that two nodes
// seldom want the same one. Hence the name alone decides.
//
// Usage: first-block POOL BLOCK-SIZE NODE...
package main

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/big"
	"math/rand"
	"net/netip"
	"os"
	"strconv"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: first-block POOL BLOCK-SIZE NODE...")
		os.Exit(2)
	}
	pool, err := netip.ParsePrefix(os.Args[1])
	size, err2 := strconv.Atoi(os.Args[2])
	if err != nil || err2 != nil || !pool.Addr().Is4() || size < pool.Bits() || size > 32 {
		fmt.Fprintln(os.Stderr, "first-block: the pool is an IPv4 network, the block size a prefix length within it")
		os.Exit(2)
	}
	blocks := big.NewInt(1 << (size - pool.Bits()))
	base := pool.Addr().As4()
	for _, node := range os.Args[3:] {
		hash := fnv.New32()
		hash.Write([]byte(node))
		seed := int64(hash.Sum32())
		number := new(big.Int).Rand(rand.New(rand.NewSource(seed)), blocks)
		var address [4]byte
		start := binary.BigEndian.Uint32(base[:]) + uint32(number.Int64())<<(32-size)
		binary.BigEndian.PutUint32(address[:], start)
		fmt.Printf("%s fnv32 %d block %d of %d: %s/%d\n", node, seed, number, blocks, netip.AddrFrom4(address), size)
	}
}
