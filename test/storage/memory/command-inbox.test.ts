import { memoryCommandInbox } from '../../../storage/memory/command-inbox.ts';
import { commandInboxConformance } from '../../conformance/command-inbox.ts';

commandInboxConformance('memory', {
  openThree: async () => {
    const inbox = memoryCommandInbox();
    return [inbox, inbox, inbox];
  },
});
