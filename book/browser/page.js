// The page: what happens when the reader presses, chooses, asks for the camera.
"use strict";
(() => {
  const get = (id) => document.getElementById(`try-${id}`);
  const signed = (value, digits) => value.toFixed(digits).replace("-", "−");
  const percent = (share, digits = 2) => `${(100 * share).toFixed(digits)} %`;
  const expected = (number) => (number < 10 ? number.toPrecision(1) : number.toFixed()); // 0.03, 2, 12
  const breath = () => new Promise((done) => setTimeout(done)); // the page is drawn, keys are heard

  // Say what is being done, and how far it is (0 to 1); then let the browser draw it.
  async function say(text, share) {
    if (text !== undefined) get("status").textContent = text;
    if (share !== undefined) get("progress").value = share;
    await breath();
  }

  function complain(error) {
    console.info(error);
    const known = error instanceof facelab.Problem;
    get("alert").textContent = known ? error.message : `Something went wrong, and it is a fault of this page: ${error.message}`;
    get("alert").hidden = false;
    get("status").textContent = "";
    if (document.activeElement === document.body) get("alert").focus(); // what had the focus went with the last result
  }

  // Do one piece of work with the progress line shown; what goes wrong is said. A second piece does not begin meanwhile.
  let busy = false;
  async function working(work) {
    if (busy) {
      get("alert").textContent = "Still at work: wait until it is done, then choose again.";
      get("alert").hidden = false;
      return;
    }
    busy = true;
    get("alert").hidden = true;
    get("progress").hidden = false;
    document.getElementById("try").setAttribute("aria-busy", "true");
    try {
      await work();
      get("alert").hidden = true; // of what came too early meanwhile
    } catch (error) {
      complain(error);
    } finally {
      get("progress").hidden = true;
      document.getElementById("try").removeAttribute("aria-busy");
      busy = false;
    }
  }

  // 1. Start: unpack and start the networks, show what can be chosen.
  let nets;
  const start = () => working(async () => {
    nets = await facelab.startNetworks(say);
    await showSamples();
    facelab.watchRequests(showRequests);
    get("begin").hidden = true;
    get("tool").hidden = false;
    get("file").focus();
    await say("Ready. Choose a picture.");
  });

  async function showSamples() {
    for (const sample of facelab.facts.samples) {
      const file = new File([await facelab.unpack(sample.file)], sample.file, { type: sample.type });
      const button = document.createElement("button"), picture = document.createElement("img");
      Object.assign(picture, { src: URL.createObjectURL(file), alt: "" });
      button.type = "button";
      button.className = "try-sample";
      button.append(picture, sample.title);
      button.onclick = () => choose(file, sample.credit);
      get("samples").append(button);
    }
  }

  // 2. A picture: find the faces, show everything. What stands from the one before goes first, also if this one fails.
  const choose = (file, credit) => working(async () => {
    get("result").hidden = true;
    await say(`Reading ${file.name}`, 0);
    await analyse(await facelab.readPicture(file), credit);
  });

  async function analyse(picture, credit = "") {
    get("result").hidden = true;
    const minFace = Number(get("smallest").value), began = performance.now();
    const found = await facelab.recognise(picture, nets, { minFace, say });
    const seconds = (performance.now() - began) / 1000;
    facelab.last = { width: picture.width, height: picture.height, ...found }; // for the button that saves, and for tests
    if (!found.faces.length) {
      throw new facelab.Problem(
        `No face was found in this picture (${picture.width} × ${picture.height} pixels). The detector knows upright ` +
          `faces of at least ${minFace} pixels, seen from the front or a little from the side. ` +
          (minFace > 20 ? "Choose a smaller “smallest face”, or another picture." : "Try another picture."),
      );
    }
    show(picture, found, credit);
    await say(`Done in ${seconds.toFixed(1)} s.`, 1);
    get("found").focus();
  }

  function show(picture, { faces, cosines }, credit) {
    get("result").hidden = false;
    const number = faces.length === 1 ? "One face" : `${faces.length} faces`;
    get("found").textContent = `${number} found`;
    facelab.drawFaces(get("picture"), picture, faces);
    get("picture").setAttribute("aria-label", `The picture with ${number.toLowerCase()}: a box, five landmarks and a number each.`);
    const size = `${picture.width} × ${picture.height} pixels${picture.shrunk ? `, shrunk from ${picture.shrunk}` : ""}`;
    get("caption").textContent = `Boxes and landmarks as MTCNN finds them; numbers from left to right (${size}). ${credit}`;
    get("faces").replaceChildren(...faces.map(faceItem));
    get("pairs").hidden = faces.length < 2;
    showCosines(faces, cosines);
    showDecision(faces, cosines);
  }

  function faceItem(face, i) {
    const item = document.createElement("li"), chip = document.createElement("canvas");
    const bars = document.createElement("canvas"), text = document.createElement("p");
    facelab.drawChip(chip, face.chip);
    facelab.drawEmbedding(bars, face.embedding);
    label(chip, `Chip of face ${i + 1}`);
    const ends = [Math.min(...face.embedding), Math.max(...face.embedding)].map((value) => signed(value, 2));
    label(bars, `Embedding of face ${i + 1}: ${face.embedding.length} numbers from ${ends.join(" to ")}`);
    const sides = [face.box[2] - face.box[0], face.box[3] - face.box[1]].map(Math.round);
    text.textContent = `Face ${i + 1}: score ${face.score.toFixed(3)}, ${sides.join(" × ")} pixels`;
    item.append(text, chip, bars);
    return item;
  }

  function label(canvas, text) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", text);
  }

  // The table of all pairs; what is at the threshold or above says so in words, not by colour alone.
  function showCosines(faces, cosines) {
    const { threshold } = facelab.facts.operating_point, table = get("cosines");
    table.replaceChildren();
    get("above").textContent = `Cosine of every two embeddings; “same” from ${threshold.toFixed(3)} on`;
    const head = table.createTHead().insertRow(), body = table.createTBody();
    head.append(heading("", ""), ...faces.map((_, i) => heading(i + 1, "col")));
    faces.forEach((_, i) => {
      const row = body.insertRow();
      row.append(heading(i + 1, "row"));
      faces.forEach((_, j) => {
        const cell = row.insertCell();
        if (i === j) {
          cell.textContent = "–";
          return;
        }
        const same = cosines[i][j] >= threshold;
        cell.className = same ? "try-same" : "";
        cell.append(signed(cosines[i][j], 3), document.createElement("br"), same ? "same" : "different");
      });
    });
  }

  function heading(text, scope) {
    const cell = document.createElement(scope ? "th" : "td");
    cell.textContent = text;
    if (scope) cell.scope = scope;
    return cell;
  }

  function showDecision(faces, cosines) {
    const { threshold, asked, far, frr } = facelab.facts.operating_point;
    const pairs = (faces.length * (faces.length - 1)) / 2;
    const same = cosines.flatMap((row, i) => row.slice(i + 1)).filter((cosine) => cosine >= threshold).length;
    get("count").textContent =
      `${pairs === 1 ? "One pair" : `${pairs} pairs`}: ${same} at the threshold or above. If all were strangers to each ` +
      `other, one would expect ${expected(pairs * far.value)} of them there by mistake, for people like those on whom it was measured.`;
    get("decision").textContent =
      `The threshold ${threshold.toFixed(3)} was chosen for a false accept rate (FAR) of ${percent(asked, 1)} on ${far.identities} ` +
      `rendered people whom the network had not seen. There FAR is ${percent(far.value)}, 95 % interval ${percent(far.low)} to ` +
      `${percent(far.high)}, and the false reject rate ${percent(frr.value, 1)}, interval ${percent(frr.low, 1)} to ${percent(frr.high, 1)}. ` +
      "On photographs of real people nothing of this holds.";
  }

  // 3. The camera: asked for by the browser after the reader's own press, switched off after the picture.
  let stream;
  async function openCamera() {
    get("camera").disabled = true; // a second press would open a second stream, which nobody switches off
    get("alert").hidden = true;
    try {
      if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("", "NotSupportedError");
      await say("Your browser asks whether this page may use the camera. The picture stays in this page.");
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "user" } });
      get("live").hidden = false;
      get("video").srcObject = stream;
      await get("video").play(); // from now on there is a picture to take
    } catch ({ name }) {
      closeCamera();
      const why = {
        NotAllowedError: "The camera was not allowed. You can allow it in your browser's settings for this page, or choose a photograph.",
        NotFoundError: "No camera was found. Choose a photograph instead.",
        NotSupportedError: "This browser gives no camera to this page (some do so only over https, or for files not at all).",
      };
      if (name !== "AbortError") complain(new facelab.Problem(why[name] ?? `The camera cannot be used (${name}). Another program may have it.`));
      return;
    }
    get("take").disabled = false;
    get("take").focus();
    await say("The camera is on.");
  }

  function closeCamera() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = undefined;
    get("video").srcObject = null;
    get("live").hidden = get("take").disabled = true;
    get("camera").disabled = false;
    get("camera").focus();
  }

  const takePicture = () => working(async () => {
    const video = get("video"), picture = facelab.pixelsOf(video, video.videoWidth, video.videoHeight);
    closeCamera();
    await analyse(picture);
  });

  // 4. The numbers, in the form of facelab's own files of detections, with the embedding beside.
  function save() {
    const { width, height, faces } = facelab.last, { network } = facelab.facts;
    const plain = faces.map(({ box, score, landmarks, embedding }) => ({ box, score, landmarks, embedding: [...embedding] }));
    const file = new Blob([JSON.stringify({ width, height, network, faces: plain }, null, 1)], { type: "application/json" });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: "faces.json" });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function showRequests(names) {
    get("requests").textContent =
      "The page carries a rule for the browser, connect-src 'none': what a script tries to fetch or to send is refused. " +
      `Requests since the pipeline was loaded: ${names.length}.` + (names.length ? ` The last one: ${names.at(-1)}` : "") +
      " Switch the network off: everything still works.";
  }

  get("start").onclick = start;
  get("file").onchange = ({ target }) => {
    if (target.files.length) choose(target.files[0]);
    target.value = ""; // the same file can be chosen again
  };
  get("camera").onclick = openCamera;
  get("take").onclick = takePicture;
  get("close").onclick = closeCamera;
  get("save").onclick = save;
  get("send").onclick = async () => { get("sent").textContent = await facelab.tryToSend(); };
  Object.assign(facelab, { start });
})();
