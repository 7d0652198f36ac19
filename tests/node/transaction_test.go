package node_test

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/ava-labs/avalanchego/ids"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"
)

// magic is the genesis magic of every chain of these tests.
const magic = 1337

type address [20]byte

// account is one of many addresses that own nothing at genesis.
func account(number int) address {
	return address{0xac, byte(number >> 8), byte(number)}
}

// wallet signs transactions as spec/blobvm.md 1 and 3 say: written anew here, so that the plugin's
// own encoder and signer are not their own witnesses.
type wallet struct{ key *secp256k1.PrivateKey }

func newWallet(hexKey string) wallet {
	bytes, err := hex.DecodeString(hexKey)
	if err != nil {
		panic(err)
	}
	return wallet{secp256k1.PrivKeyFromBytes(bytes)}
}

// rich owns everything at genesis.
var rich = newWallet("a1c0bd71ff64aebd666b04db0531d61479c2c031e4de38410de0609cbd6e66f0")

func (w wallet) address() address {
	return address(keccak(w.key.PubKey().SerializeUncompressed()[1:])[12:])
}

// transfer is a signed transaction that brings units to another address; recent is the inner ID of
// a block within the lookback window.
func (w wallet) transfer(to address, units, price uint64, recent ids.ID) []byte {
	tx := binary.BigEndian.AppendUint16(nil, 0)
	tx = binary.BigEndian.AppendUint32(tx, 2)
	tx = append(tx, recent[:]...)
	tx = binary.BigEndian.AppendUint64(tx, magic)
	tx = binary.BigEndian.AppendUint64(tx, price)
	tx = append(tx, to[:]...)
	tx = binary.BigEndian.AppendUint64(tx, units)

	message := keccak(
		keccak([]byte("transfer(address to,uint64 units,uint64 price,string blockID)")),
		make([]byte, 12), to[:], word(units), word(price), keccak([]byte(recent.String())),
	)
	return append(tx, w.sign(message)...)
}

// sign is the length and the 65 bytes r || s || v.
func (w wallet) sign(structHash []byte) []byte {
	domain := keccak(
		keccak([]byte("EIP712Domain(string name,uint64 magic)")),
		keccak([]byte("Blob")), word(magic),
	)
	digest := keccak([]byte{0x19, 0x01}, domain, structHash)
	compact := ecdsa.SignCompact(w.key, digest, false) // v || r || s
	signature := append(compact[1:], compact[0])
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(signature))), signature...)
}

func keccak(parts ...[]byte) []byte {
	hash := sha3.NewLegacyKeccak256()
	for _, part := range parts {
		hash.Write(part)
	}
	return hash.Sum(nil)
}

// word is a number as 32 bytes.
func word(n uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 24), n)
}
