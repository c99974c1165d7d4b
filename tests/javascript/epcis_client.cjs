// A client that knows epcis2.js and nothing of this node: node epcis_client.cjs PACKAGE URL TOKEN
// Captures a document, waits for its job, asks for its events, and prints what came of each as one line of JSON.
const [, , folder, apiUrl, token] = process.argv;
const { AggregationEvent, CaptureResponse, EPCISDocument, ObjectEvent, QuantityElement, capture, setup } =
  require(`${folder}/dist/epcis2.node.js`);

async function main() {
  setup({ apiUrl, headers: { "content-type": "application/json", Authorization: `Bearer ${token}` } });
  const shipped = new ObjectEvent()
    .setEventTime("2026-03-01T10:00:00.000+01:00")
    .addEPC("urn:epc:id:sgtin:4012345.011111.CLIENT1")
    .addQuantity(new QuantityElement().setEpcClass("urn:epc:class:lgtin:4012345.011111.L1").setQuantity(5))
    .setAction("OBSERVE")
    .setBizStep("shipping")
    .setDisposition("in_transit")
    .setReadPoint("urn:epc:id:sgln:4012345.00001.0");
  const packed = new AggregationEvent()
    .setEventTime("2026-03-01T11:00:00.000+01:00")
    .setParentId("urn:epc:id:sscc:4012345.0000000001")
    .addChildEPC("urn:epc:id:sgtin:4012345.011111.CLIENT1")
    .setAction("ADD")
    .setBizStep("packing");
  for (const event of [shipped, packed]) event.generateHashID({});
  const document = new EPCISDocument().setCreationDate("2026-03-01T12:00:00.000+01:00").addEventList([shipped, packed]);
  const job = new CaptureResponse(await capture(document));
  await job.pollForTheCaptureToFinish();
  const found = await fetch(`${apiUrl}/events?EQ_bizStep=shipping`, { headers: { Authorization: `Bearer ${token}` } });
  const { eventList } = (await found.json()).epcisBody.queryResults.resultsBody;
  console.log(
    JSON.stringify({
      location: job.getLocation(),
      running: job.getRunningStatus(),
      success: job.getSuccessStatus(),
      errors: job.getErrors(),
      eventIDs: [shipped, packed].map((event) => event.getEventID()),
      // read back by the library, and written again
      found: eventList.map((event) => new ObjectEvent(event).toObject()),
    }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
