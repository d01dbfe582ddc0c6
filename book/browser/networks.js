// The networks in this page: files that travel inside scripts, and the runtime that computes with them.
//
// A page that was opened from a disk may load scripts, but may not read other files. So every file that is no script
// travels inside one: compressed by gzip, written as text (base64). `facelab.packed` holds them by name, and
// `facelab.facts` what the package knows: the template of the alignment, the threshold, names and sizes.
"use strict";
(() => {
  // A problem that the reader can do something about; its message is shown as it is.
  class Problem extends Error {}

  // The bytes of a file that travels inside the page.
  async function unpack(name) {
    const text = atob(facelab.packed[name]);
    const packed = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  const NETWORKS = ["pnet", "rnet", "onet", "embedder"];
  let sessions; // a promise: of two calls, the second waits for what the first has begun

  // Start the runtime and the four networks; return them by name. `say` is told what is being done, and how far it is.
  function startNetworks(say = async () => {}) {
    sessions ??= start(say).catch((error) => {
      sessions = undefined;
      throw error;
    });
    return sessions;
  }

  async function start(say) {
    if (typeof WebAssembly !== "object") {
      throw new Problem(
        "This browser has no WebAssembly, or it is switched off (some browsers do so in a mode for high security). " +
          "The networks cannot run without it: switch it on, or open the page in another browser.",
      );
    }
    if (typeof DecompressionStream !== "function") {
      throw new Problem("This browser is too old to unpack the networks: use a version from 2023 or later.");
    }
    await say("Unpacking the runtime", 0);
    const [binary, script] = await Promise.all(["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.mjs"].map(unpack));
    // The runtime is told where its files are: here. Otherwise it would ask for them over the network.
    ort.env.wasm.wasmBinary = binary.buffer;
    ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(new Blob([script], { type: "text/javascript" })) };
    ort.env.wasm.numThreads = 1; // more threads need a server that sends special headers
    ort.env.logLevel = "error";
    const started = {};
    for (const [number, name] of NETWORKS.entries()) {
      await say(`Starting network ${number + 1} of ${NETWORKS.length}: ${name}`, (number + 1) / (NETWORKS.length + 1));
      started[name] = await ort.InferenceSession.create(await unpack(`${name}.onnx`));
    }
    return started;
  }

  // Run a network on one array; return its outputs by name: for each one the numbers in one row, and its shape.
  async function compute(session, data, shape) {
    const type = data instanceof Uint8Array ? "uint8" : "float32";
    return session.run({ [session.inputNames[0]]: new ort.Tensor(type, data, shape) });
  }

  Object.assign(facelab, { Problem, unpack, startNetworks, compute });
})();
