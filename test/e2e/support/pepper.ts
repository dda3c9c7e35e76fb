/** The pepper of `testFingerprinter`, as the data directory holds it: fingerprints of a test are those of the command. */
export const TEST_PEPPER = Buffer.alloc(32, 7).toString('base64');
